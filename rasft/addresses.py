"""Addresses of files: a local path, or one of any file system that fsspec knows."""

from __future__ import annotations

import os
from typing import Any

import fsspec
import fsspec.implementations.arrow


def file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. S3 goes through Arrow's own client.

    Raises ImportError where fsspec lacks the driver, ValueError or OSError where it knows none.
    """
    if address.startswith("s3://"):
        return fsspec.implementations.arrow.ArrowFSWrapper(_s3()), address.removeprefix("s3://")
    fs, path = fsspec.core.url_to_fs(address)
    return fs, str(path)


def is_remote(address: str) -> bool:
    """Whether an address names a file system, as s3://bucket/file does.

    >>> is_remote("https://host/rows.csv"), is_remote("folder/rows.csv")
    (True, False)
    """
    return "://" in address


def _s3() -> Any:
    """Credentials and region come from the usual AWS_* variables, and so does an endpoint."""
    from pyarrow import fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(endpoint_override=endpoint)
