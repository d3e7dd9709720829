"""Whether results can be stored, and whether a cluster would take a run: for `rasft doctor`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rasft import extras
from rasft.machine.findings import Check
from rasft.results import runs

SECONDS = 5  # to wait for an answer
MARK = "rasft-doctor"  # the name of what is written and removed again


def checks() -> Iterator[Check]:
    """The datastore, then the cluster."""
    kind, root = runs.datastore()
    yield _datastore(kind, root)
    yield _cluster(kind)


def _datastore(kind: str, root: str | None) -> Check:
    if root is None:
        name = f"METAFLOW_DATASTORE_SYSROOT_{kind.upper()}"
        return Check("datastore", False, f"{kind}, but {name} is not set; set it to the root")
    if kind not in ("local", "s3"):
        return Check("datastore", True, f"{kind} at {root}; whether it can be written is unchecked")
    try:
        (_write_local if kind == "local" else _write_s3)(root)
    except Exception as error:  # boto3's classes are made at run time
        advice = "check the path" if kind == "local" else "check the bucket, keys and endpoint"
        return Check("datastore", False, f"cannot write to {root}: {error}; {advice}")
    return Check("datastore", True, f"{kind} at {root}, can be written")


def _write_local(root: str) -> None:
    folder = Path(root)
    with tempfile.TemporaryFile(dir=next(p for p in (folder, *folder.parents) if p.exists())):
        pass


def _write_s3(root: str) -> None:
    import boto3
    from botocore.config import Config

    url = urlsplit(root)
    client = boto3.client(
        "s3",
        endpoint_url=os.environ.get("METAFLOW_S3_ENDPOINT_URL"),
        config=Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"max_attempts": 1}),
    )
    key = f"{url.path.strip('/')}/{MARK}".lstrip("/")
    client.put_object(Bucket=url.netloc, Key=key, Body=b"")
    client.delete_object(Bucket=url.netloc, Key=key)


def _cluster(datastore: str) -> Check:
    try:
        from kubernetes import client, config
        from kubernetes.config import ConfigException
    except ImportError:
        return Check("cluster", True, f"no client (optional); {extras.advice('kubernetes')}")
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ:  # inside a pod
            config.load_incluster_config()  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(os.environ.get("KUBECONFIG"))  # type: ignore[no-untyped-call]
    except ConfigException:
        return Check(
            "cluster", True, "none configured; only --with kubernetes needs one (set KUBECONFIG)"
        )
    host = client.Configuration.get_default_copy().host
    try:
        with client.ApiClient() as connection:
            version = client.VersionApi(connection).get_code(_request_timeout=SECONDS)
    except Exception as error:  # urllib3's and the API's own
        reason = str(error).splitlines()[0]
        return Check(
            "cluster", False, f"{host} does not answer: {reason}; check KUBECONFIG and the network"
        )
    if datastore == "local":
        return Check(
            "cluster",
            False,
            f"{host} answers, but its pods cannot reach a local datastore; "
            "set METAFLOW_DEFAULT_DATASTORE=s3 and METAFLOW_DATASTORE_SYSROOT_S3",
        )
    return Check("cluster", True, f"Kubernetes {version.git_version} at {host}")
