"""Where a step runs and what it may use: the config's resources as Metaflow's decorators."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from metaflow import kubernetes, resources, retry, timeout
from metaflow.packaging_sys import ContentType
from metaflow.plugins.kubernetes.kubernetes_decorator import KubernetesDecorator
from metaflow.user_decorators.mutable_step import MutableStep

from rasft.config.files import CONFIGS
from rasft.config.resources import DefaultResources
from rasft.page import html
from rasft.paths import PACKAGE

# As Kubernetes' "restricted" pod security standard asks; the image's user is a number.
RESTRICTED = {
    "privileged": False,
    "allow_privilege_escalation": False,
    "run_as_non_root": True,
    "capabilities": {"drop": ["ALL"]},
    "seccomp_profile": {"type": "RuntimeDefault"},
}


def place(step: MutableStep, needs: DefaultResources) -> None:
    """Add what holds for one step; @kubernetes only where the command asks for a cluster."""
    wanted = {
        "cpu": needs.cpu,
        "memory": needs.memory_mb,
        "gpu": needs.gpu or None,
        "shared_memory": needs.shared_memory_mb,
    }
    step.add_decorator(resources, deco_kwargs=_given(wanted))
    if needs.retries:
        pause = {"times": needs.retries, "minutes_between_retries": needs.retry_minutes}
        step.add_decorator(retry, deco_kwargs=pause)
    if needs.timeout_minutes:
        step.add_decorator(timeout, deco_kwargs={"minutes": needs.timeout_minutes})
    if _in_a_pod(step):
        pod = {**_pod(needs), **_asked(step)}
        step.add_decorator(kubernetes, deco_kwargs=pod, duplicates=MutableStep.OVERRIDE)


def files_of_a_pod() -> Iterator[tuple[str, str, ContentType]]:
    """The files beside the packages that a step reads: Metaflow ships Python packages alone."""
    for path in sorted(CONFIGS.rglob("*.yaml")):
        arcname = path.relative_to(CONFIGS.parent)
        yield str(path), str(arcname), ContentType.CODE_CONTENT
    for path in html.FILES:
        arcname = path.relative_to(PACKAGE.parent)
        yield str(path), str(arcname), ContentType.CODE_CONTENT


def _in_a_pod(step: MutableStep) -> bool:
    """`--with kubernetes` is there already; a deployment adds it later; a pod is told so."""
    return (
        step.has_decorator("kubernetes")
        or "argo-workflows" in sys.argv
        or "METAFLOW_KUBERNETES_WORKLOAD" in os.environ
    )


def _pod(needs: DefaultResources) -> dict[str, Any]:
    tolerations = [each.model_dump(exclude_none=True) for each in needs.tolerations or ()]
    return _given(
        {
            "disk": needs.disk_mb,
            "image": needs.image,
            "node_selector": needs.node_selector,
            "tolerations": tolerations or None,
            "persistent_volume_claims": needs.volumes,
            "secrets": list(needs.secrets) if needs.secrets else None,
            "labels": needs.labels,
            "security_context": RESTRICTED,
        }
    )


def _asked(step: MutableStep) -> dict[str, Any]:
    """What the command line says beside the name, as in `--with kubernetes:image=...`."""
    specs = step.get_decorator_specs("kubernetes")
    given = specs[0][3] if specs else {}
    return {k: v for k, v in given.items() if v != KubernetesDecorator.defaults.get(k)}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
