"""What each step asks of the machine that runs it.

`timeout_minutes` and `retries` hold everywhere. The rest is what a cluster needs to place a step
and is not read by a plain `run`.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from rasft.config.section import Count, Positive, Section

# A Kubernetes name: it becomes a part of a manifest.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^:]*$")]

# The steps of all flows, so that one config serves each of them and a typo is still an error.
STEPS = (
    "start",
    "warmup",
    "score",
    "gather",
    "route",
    "rollout",
    "verify",
    "collect",
    "train",
    "evaluate",
    "report",
    "promote",
    "idle",
    "prepare",
    "sample",
    "spread",
    "round",
    "spread_nodes",
    "join_nodes",
    "spread_benchmarks",
    "end",
)


def _step(name: str) -> str:
    if name not in STEPS:
        near = difflib.get_close_matches(name, STEPS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(STEPS)}"
        raise ValueError(f"no flow has a step {name!r} ({hint})")
    return name


class Toleration(Section):
    """A taint of nodes that a step puts up with; the keys are Kubernetes' own."""

    key: str | None = None  # null: every taint
    operator: Literal["Exists", "Equal"] = "Exists"  # Exists accepts any value of the key
    value: str | None = None  # with Equal
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None  # null: each


class StepResources(Section):
    """One step's needs; null takes the value of `resources.default`."""

    cpu: Positive | None = None  # cores
    memory_mb: Count | None = None  # of a pod
    gpu: Annotated[int, Field(ge=0)] | None = None  # GPUs of a pod
    shared_memory_mb: Count | None = None  # /dev/shm, for the processes of a training
    disk_mb: Count | None = None  # scratch space: models and checkpoints in flight
    image: str | None = None  # null: METAFLOW_KUBERNETES_CONTAINER_IMAGE
    node_selector: dict[str, str] | None = None  # labels that the node must have
    tolerations: tuple[Toleration, ...] | None = None  # taints of nodes that are accepted
    volumes: dict[Name, AbsolutePath] | None = None  # persistent volume claim -> where it is seen
    secrets: tuple[Name, ...] | None = None  # each key of such a secret is in the environment
    labels: dict[str, str] | None = None  # of the pod; network policies choose by them
    timeout_minutes: Count | None = None  # then the attempt fails
    retries: Annotated[int, Field(ge=0)] | None = None  # attempts after the first
    retry_minutes: Annotated[int, Field(ge=0)] | None = None  # the wait before a retry


class DefaultResources(StepResources):
    """The needs of a step that says nothing else."""

    cpu: Positive = 1  # cores
    memory_mb: Count = 4096  # of a pod
    gpu: Annotated[int, Field(ge=0)] = 0  # GPUs of a pod
    disk_mb: Count = 10240  # scratch space of a pod
    retries: Annotated[int, Field(ge=0)] = 0  # of a task that failed
    retry_minutes: Annotated[int, Field(ge=0)] = 2  # between two attempts


class ResourcesConfig(Section):
    """The needs of every step, and where a step differs."""

    default: DefaultResources = DefaultResources()
    # What differs from `default`, by step.
    steps: dict[Annotated[str, AfterValidator(_step)], StepResources] = {}

    def of(self, step: str) -> DefaultResources:
        """A step's own values over the defaults."""
        own = self.steps.get(step, StepResources())
        named = {name: getattr(own, name) for name in StepResources.model_fields}
        return self.default.model_copy(update={k: v for k, v in named.items() if v is not None})
