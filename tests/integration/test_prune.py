"""rasft prune on real runs, in a local store and in S3: what goes, what stays, what is shared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.cluster.storage import BUCKET, KEYS, s3

ROOT = Path(__file__).parents[2]
FLOW = """
import tempfile
from pathlib import Path
from metaflow import FlowSpec, Parameter, Run, card, current, step
from flows.model_store import save_model

class KeptFlow(FlowSpec):
    previous = Parameter("previous", default="")

    @card(type="blank")
    @step
    def start(self):
        self.same, self.own = "shared" * 1000, current.run_id * 1000
        before = self.previous and Run(self.previous)["end"].task
        self.started_from = before["trained"].data if before else None
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "weights").write_text(current.run_id * 1000)
            self.trained = save_model(folder, "trained")
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    KeptFlow()
"""
READ = """
import sys
from metaflow import Flow, Run, load_model, namespace
namespace(None)
print(sorted(run.pathspec for run in Flow("KeptFlow")))
task = Run(sys.argv[1])["end"].task
print(len(task["same"].data), len(task["own"].data))
load_model(task["started_from"].data, sys.argv[2])
"""


class Place:
    """A folder with its store, and commands in it."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        paths = os.pathsep.join((str(ROOT), str(ROOT / "flows")))
        self.environment = {**os.environ, "PYTHONPATH": paths, **environment,
                            "RASFT_CACHE_DIR": str(folder / "cache")}  # fmt: skip
        (folder / ".metaflow").mkdir()
        (folder / "flow.py").write_text(FLOW)

    def do(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout + (done.stderr if code else "")

    def run(self, *words: str) -> str:
        self.do("flow.py", "--quiet", "run", "--run-id-file", "run.id", *words)
        return f"KeptFlow/{(self.folder / 'run.id').read_text()}"

    def age(self, run: str, days: int = 40) -> None:
        """Let the metadata say that it was so many days ago."""
        past = lambda found: f'"ts_epoch": {int(found[1]) - days * 86_400_000}'  # noqa: E731
        for path in (self.folder / ".metaflow" / run).rglob("*.json"):
            path.write_text(re.sub(r'"ts_epoch": (\d+)', past, path.read_text()))

    def prune(self, *words: str) -> list[str]:
        return self.do("-m", "rasft.cli", "prune", *words).splitlines()


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.whole)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "local":
        yield Place(tmp_path, {"METAFLOW_DEFAULT_DATASTORE": "local"})
        return
    with s3() as endpoint:
        yield Place(
            tmp_path,
            {
                "METAFLOW_DEFAULT_DATASTORE": "s3",
                "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{BUCKET}/metaflow",
                "METAFLOW_S3_ENDPOINT_URL": endpoint,
                **KEYS,
            },
        )


def test_old_runs_go_and_what_others_need_stays(place: Place) -> None:
    first = place.run()
    second = place.run("--previous", first, "--tag", "mine")
    third = place.run()
    for run in (first, second, third):
        place.age(run)
    planned = place.prune()
    assert f"kept: {second} (tagged mine)" in planned
    assert planned[-1].endswith("MB; nothing was changed; run it again with --yes")
    would = {line.removeprefix("would remove: ") for line in planned if line.startswith("would")}
    for run in (first, third):
        for what in (f"run {run}: ", f"cards of {run}: "):
            assert sum(line.startswith(what) for line in would) == 1, (what, planned)
    assert any(line.startswith("data of KeptFlow: ") for line in would), planned
    models = [line for line in would if line.startswith("model ")]
    assert len(models) == 1  # the second run goes on from the first one's model
    assert f"of {third}: " in models[0]

    place.do("-c", f"from rasft.pruning.run_records import condemn; condemn({third!r})")
    begun = place.do("-m", "rasft.cli", "tables", third, code=1)
    assert f"run {third} was removed by `rasft prune`" in begun
    removed = place.prune("--yes")
    assert {line.removeprefix("removed: ") for line in removed if "removed" in line} == would
    told = place.do("-c", READ, second, "model").splitlines()
    assert told == [f"['{second}']", f"6000 {1000 * len(second.partition('/')[2])}"]
    weights = (place.folder / "model" / "weights").read_text()
    assert weights == 1000 * first.partition("/")[2]
    assert place.prune()[-1] == "there is nothing to remove"
