"""The real command, as a user types it, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.cluster.metadata import MetadataService
from integration.cluster.storage import BUCKET, KEYS, s3
from tiny_model import build

ROOT = Path(__file__).parents[3]
# Metaflow's own choice of folders and names must not leak in from the shell that runs the tests.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("METAFLOW_", "AWS_"))}


@dataclass(frozen=True)
class Done:
    """A command that ended: its output and its wall time."""

    code: int
    output: str
    seconds: float


def flow(folder: Path, *words: str, environment: dict[str, str], name: str = "rasft_flow") -> Done:
    """Run a flow's command in `folder`."""
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "flows" / f"{name}.py"), *words],
        cwd=folder,
        env={**CLEAN, "METAFLOW_USER": "tester", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, time.monotonic() - before)


def model_for_pods(folder: Path) -> Path:
    """A model of random weights that a pod's user, who is another, can read."""
    model = build(folder / "tiny")
    for path in (folder, model, *model.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return model


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """The environment of a run with a datastore and a metadata service of their own."""
    service = MetadataService()
    try:
        with s3() as endpoint:
            yield {
                **datastore(endpoint),
                "METAFLOW_DEFAULT_METADATA": "service",
                "METAFLOW_SERVICE_URL": service.url,
            }
    finally:
        service.close()


def datastore(endpoint: str) -> dict[str, str]:
    """The environment in which Metaflow keeps everything in the S3 at `endpoint`."""
    return {
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{BUCKET}/metaflow",
        "METAFLOW_S3_ENDPOINT_URL": endpoint,
        **KEYS,
    }


READ = r"""
import base64, json, re, sys
from metaflow import Flow, namespace
from metaflow.cards import get_cards
namespace(None)
run = Flow(sys.argv[1]).latest_run
def rows(value):
    return value.to_pylist() if hasattr(value, "to_pylist") else value
tasks = [
    {
        "step": step.id,
        "attempt": task.current_attempt,
        "created": task.created_at.timestamp(),
        "finished": task.finished_at.timestamp(),
    }
    for step in run for task in step
]
artifacts = {name: rows(run["end"].task[name].data) for name in sys.argv[2:]}
(card,) = get_cards(run["report"].task)
content = re.search(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', card.get())[1]
card = base64.b64decode(content).decode()
print(json.dumps({"artifacts": artifacts, "tasks": tasks, "card": card}, default=str))
"""


def read(
    folder: Path, *names: str, environment: dict[str, str], name: str = "RasftFlow"
) -> dict[str, Any]:
    """Artifacts of the flow's last run in `folder`, tables as rows, each task's times, the card."""
    done = subprocess.run(
        [sys.executable, "-c", READ, name, *names],
        cwd=folder,
        env={**CLEAN, "METAFLOW_USER": "tester", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the run cannot be read:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])
