"""A Job's manifest read as a container: pure functions, no Docker here.

What a double of a cluster cannot do is refused loudly, so that no test passes by leaving it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMESPACE = "default"
KUBERNETES = "1.34"  # the version whose schema a Job must keep to


@dataclass(frozen=True)
class Cluster:
    """What the cluster has beside its nodes: secrets (name -> environment) and claims."""

    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claims: Mapping[str, Path] = field(default_factory=dict)  # volume claim -> folder of the host


def container(job: Mapping[str, Any], pod: str, uid: str, cluster: Cluster) -> dict[str, Any]:
    """Arguments of `docker create` for the one container of a Job; raises KeyError for a secret
    or a claim that the cluster has not."""
    spec = job["spec"]["template"]["spec"]
    (only,) = spec["containers"]
    fields = {
        "metadata.name": pod,
        "metadata.uid": uid,
        "metadata.namespace": NAMESPACE,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": "127.0.0.1",
        **{f"metadata.annotations['{name}']": text for name, text in annotations(job).items()},
    }
    return {
        "image": only["image"],
        "command": only["command"],
        "environment": _environment(only, fields, cluster.secrets),
        "volumes": _volumes(spec, only, cluster.claims),
        "shm_size": _shared_memory(spec),
        "extra_hosts": _names(spec),
        **_security(only["securityContext"]),
    }


def annotations(job: Mapping[str, Any]) -> Mapping[str, str]:
    """Metaflow's words on a Job: its step, task and attempt."""
    return job["spec"]["template"]["metadata"]["annotations"]


def _environment(
    only: Mapping[str, Any], fields: Mapping[str, str], secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in only.get("envFrom", ()):
        found |= secrets[source["secretRef"]["name"]]
    for each in only["env"]:
        reference = each.get("valueFrom", {}).get("fieldRef")
        found[each["name"]] = fields[reference["fieldPath"]] if reference else each.get("value", "")
    return found


def _volumes(
    spec: Mapping[str, Any], only: Mapping[str, Any], claims: Mapping[str, Path]
) -> dict[str, dict[str, str]]:
    places = {mount["name"]: mount["mountPath"] for mount in only.get("volumeMounts", ())}
    named = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in spec.get("volumes", ())
        if "persistentVolumeClaim" in volume
    }
    return {
        str(claims[claim]): {"bind": places[volume], "mode": "ro"}
        for volume, claim in named.items()
    }


def _names(spec: Mapping[str, Any]) -> dict[str, str]:
    """What the cluster's DNS would tell a JobSet's pods: where the first of them is."""
    if not (jobset := spec.get("subdomain")):
        return {}
    return {f"{jobset}-control-0-0.{jobset}.{NAMESPACE}.svc.cluster.local": "127.0.0.1"}


def _shared_memory(spec: Mapping[str, Any]) -> str:
    sizes = [
        volume["emptyDir"]["sizeLimit"]
        for volume in spec.get("volumes", ())
        if volume.get("emptyDir", {}).get("medium") == "Memory"
    ]
    return sizes[0].replace("Mi", "m") if sizes else "64m"


def _security(context: Mapping[str, Any]) -> dict[str, Any]:
    if not context["runAsNonRoot"] or context["privileged"]:
        raise ValueError("this cluster admits restricted pods alone")
    rise = "false" if context["allowPrivilegeEscalation"] else "true"
    return {
        "cap_drop": context["capabilities"]["drop"],
        "security_opt": [f"no-new-privileges:{rise}"],
    }
