"""What must hold before any test imports a library."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Metaflow refuses root, reads this once, and has no user in a bare container.
if os.environ.get("USER", "root") == "root" and "USERNAME" not in os.environ:
    os.environ.setdefault("METAFLOW_USER", "rasft")
# A run's page costs each flow seconds of a core: the tests of the page ask for it.
os.environ.setdefault("RASFT_PAGE", "off")
# Workers test side by side: OpenMP's threads that wait spinning would take each other's core.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# How long one example takes says nothing on a machine that does other things too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def ledger_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests reuse nothing that an earlier session or a person's own runs left in the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASFT_LEDGER_DIR", str(tmp_path_factory.mktemp("ledger")))
        yield


@pytest.fixture(scope="module", autouse=True)
def plugins_of_the_module() -> Iterator[None]:
    """A config that names plugins puts them in use in its process: here until the module ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASFT_PLUGINS", os.environ.get("RASFT_PLUGINS", ""))
        yield
