"""The store fails while a flow runs: S3 that answers 500 or nothing at all, and a full disk."""

from __future__ import annotations

import http.client
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from flow_driver import IMPORTS, drive
from integration.cluster.storage import BUCKET, KEYS, s3
from safetensors.torch import save_file

from rasft.machine.full_disk import ADVICE, is_told_by

pytestmark = pytest.mark.whole

FLOW = Path(__file__).with_name("store_flow.py")
OUTAGE_SECONDS = 6.0  # of each kind


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on to S3, until the first shard writes: then it fails for a while."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.upstream = upstream.removeprefix("http://")
        self.began: float | None = None
        self.faults: Counter[str] = Counter()
        self.lock = threading.Lock()

    def fault(self, method: str, path: str) -> str | None:
        """What happens to a request: none, "500" at first, then "silence"."""
        with self.lock:
            if self.began is None and method == "PUT" and "/shard/" in path:
                self.began = time.monotonic()
            since = time.monotonic() - self.began if self.began else -1.0
            if not 0 <= since < 2 * OUTAGE_SECONDS:
                return None
            kind = "500" if since < OUTAGE_SECONDS else "silence"
            self.faults[kind] += 1
            return kind

    def wait_for_the_end(self) -> None:
        """Return when the outage is over."""
        assert self.began is not None
        time.sleep(max(0.0, self.began + 2 * OUTAGE_SECONDS - time.monotonic()))


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def log_message(self, *_: object) -> None:
        pass

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.fault(self.command, self.path)
        if kind == "silence":
            self.server.wait_for_the_end()
            self.close_connection = True
        elif kind == "500":
            self._reply(500, [], b"<Error><Code>InternalError</Code></Error>")
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        self._reply(answer.status, answer.getheaders(), answer.read())
        upstream.close()

    def _reply(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        length = str(len(content))
        for name, value in headers:
            if name.lower() in ("connection", "transfer-encoding", "date", "server"):
                continue
            if name.lower() == "content-length":
                length = value  # of a HEAD's answer, whose content is not sent
                continue
            self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = relay


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    with s3() as upstream, FaultyProxy(upstream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_outage_of_s3_loses_and_doubles_nothing(proxy: FaultyProxy, tmp_path: Path) -> None:
    environment = {
        **IMPORTS,
        **KEYS,
        "METAFLOW_DEFAULT_DATASTORE": "s3",
        "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{BUCKET}/runs",
        "METAFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_port}",
    }
    done = drive(FLOW, ["run"], tmp_path, environment=environment)
    assert done.code == 0, done.output[-3000:]
    assert "30 rows, 30 keys" in done.output
    assert proxy.faults["500"] > 0
    assert proxy.faults["silence"] > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small disk needs root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_resume_finishes_it(tmp_path: Path, small_disk: Path) -> None:
    environment = {**IMPORTS, "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(small_disk)}
    words = ["--max-workers", "1"]
    done = drive(FLOW, ["run", "--rows", "1000", *words], tmp_path, environment=environment)
    assert done.code not in (0, None)
    assert "No space left on device" in done.output
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    done = drive(FLOW, ["resume", *words], tmp_path, environment=environment)
    assert done.code == 0, done.output[-3000:]
    assert "3000 rows, 3000 keys" in done.output


def test_a_step_whose_scratch_is_full_says_what_to_do(tmp_path: Path, small_disk: Path) -> None:
    environment = {**IMPORTS, "TMPDIR": str(small_disk)}
    done = drive(FLOW, ["run", "--scratch", "9000"], tmp_path, environment=environment)
    assert done.code not in (0, None)
    assert "The step cannot go on" in done.output
    assert ADVICE in " ".join(done.output.split())
    assert list(small_disk.glob("rasft-*")) == []


def test_checkpoints_that_find_no_room_are_told_as_a_full_disk(small_disk: Path) -> None:
    """Neither library gives the error a code."""
    big = {"weight": torch.zeros(1_000_000)}
    for save in (torch.save, save_file):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each has its own
            save(big, str(small_disk / "big"))
        assert is_told_by(caught.value)
