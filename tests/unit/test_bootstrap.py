"""What `flows/bootstrap.py` makes importable, and what it leaves to the installed packages."""

import shutil
import subprocess
import sys
from pathlib import Path

BOOTSTRAP = Path(__file__).parents[2] / "flows" / "bootstrap.py"
LOOK = """
import bootstrap
from importlib import metadata
import rasft
print(rasft.__file__)
print(metadata.distribution("rasft").read_text("METADATA") is not None)
"""


def test_a_build_folder_in_the_tree_is_not_taken_for_the_installed_package(tmp_path: Path) -> None:
    """`pip install -e` leaves one. Metaflow sends pods what it finds of it, which names nothing:
    there the import of torch, which asks every package for its name, would fail.
    """
    for folder in ("flows", "rasft", "rasft.egg-info"):
        (tmp_path / folder).mkdir()
    shutil.copy(BOOTSTRAP, tmp_path / "flows")
    (tmp_path / "rasft" / "__init__.py").touch()
    (tmp_path / "rasft.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: rasft\n")
    found = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=tmp_path / "flows",
        capture_output=True,
        text=True,
        check=True,
    )
    module, has_metadata = found.stdout.split()
    assert Path(module).is_relative_to(tmp_path)
    assert has_metadata == "True"
