"""Training checkpoints in Metaflow's datastore, so that a task that is tried again goes on.

A retried or resumed task has a new scratch folder and often another machine. Checkpoints are named
by the digest of their job: what is trained, on what and how. So only a job that would end with the
same weights takes one up, whichever attempt or run of this step saved it.
"""

import tempfile
from pathlib import Path

from metaflow import current
from metaflow_extensions.obcheckpoint.plugins.machine_learning_utilities.datastructures import (
    CheckpointArtifact,
)

from rasft.errors import MachineError
from rasft.training.storage import checkpoint_store

NAME_LENGTH = 24  # of the digest: what a checkpoint is called in the datastore


class MetaflowCheckpoints:
    """The checkpoints of this step's job; the newest `kept` stay until `forget`."""

    def __init__(self, kept: int):
        self.kept = kept
        self.jobs: set[str] = set()  # that were asked for here

    def keep(self, checkpoint: Path, job: str) -> None:
        """Store a whole checkpoint and remove older ones. Raises MachineError if it cannot."""
        try:
            with tempfile.TemporaryDirectory(dir=checkpoint.parent.parent) as scratch:
                if taken := checkpoint_store.take(checkpoint, Path(scratch)):
                    current.checkpoint.save(str(taken), name=job[:NAME_LENGTH])
            self._drop(self._stored(job)[: -self.kept])
        except Exception as error:  # each store's client raises its own classes
            raise MachineError(f"cannot store the checkpoint {checkpoint.name}: {error}") from error

    def restore(self, job: str, job_dir: Path) -> None:
        """Bring back the newest checkpoint of this job, if any attempt or run stored one."""
        self.jobs.add(job)
        if not (stored := self._stored(job)):
            return
        with tempfile.TemporaryDirectory(dir=job_dir) as scratch:
            current.checkpoint.load(stored[-1], path=scratch)
            checkpoint_store.give(Path(scratch), job_dir)
        print(f"found a checkpoint of {stored[-1].pathspec}", flush=True)

    def forget(self) -> None:
        """Remove them: the trained model is stored."""
        for job in self.jobs:
            self._drop(self._stored(job))

    @staticmethod
    def _stored(job: str) -> list[CheckpointArtifact]:
        """Oldest first, of all attempts and runs of this step."""
        found = current.checkpoint.list(name=job[:NAME_LENGTH], full_namespace=True)
        artifacts = [CheckpointArtifact.hydrate(row) for row in found]
        return sorted(artifacts, key=lambda artifact: artifact.created_on)

    @staticmethod
    def _drop(artifacts: list[CheckpointArtifact]) -> None:
        """The package has no public call for this; its version is pinned."""
        store = current.checkpoint._default_checkpointer._checkpointer._checkpoint_datastore
        for artifact in artifacts:
            artifact._delete(store.artifact_store._backend)
