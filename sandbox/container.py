"""One warm container: how it is locked down, and lines of JSON to and from its process 1."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import socket
import ssl
import struct
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Self

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from sandbox.protocol import SandboxError

LABEL = "rasft.sandbox.owner"
HOST_LABEL = "rasft.sandbox.host"
OVERHEAD_MB = 768  # the judge, the warm interpreters and the scratch folder, beside the program
START_SECONDS = 60.0
_FRAME = struct.Struct(">BxxxI")  # Docker's multiplexed stream: which stream, how many bytes
_STDOUT = 1
_TICK_SECONDS = 0.5  # how often a reader with nothing to read looks around
# what a Docker client raises when the daemon goes away in the middle of a call
DOCKER_FAILURES = (DockerException, requests.RequestException, OSError)


@dataclass(frozen=True)
class Lockdown:
    """What a container is made from and bounded by."""

    image: str
    memory_mb: int = 512  # for the program
    runtime: str | None = None  # None is Docker's default, "runsc" is gVisor
    user_namespace: bool = False  # then only the first 65,536 users exist

    def host_settings(self) -> dict[str, Any]:
        """Return Docker's host configuration."""
        memory = f"{self.memory_mb + OVERHEAD_MB}m"
        return {
            "network_mode": "none",
            "ipc_mode": "none",
            "read_only": True,
            "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m,nr_inodes=4096"},
            "cap_drop": ["ALL"],
            "cap_add": ["SETUID", "SETGID", "KILL"],
            "security_opt": ["no-new-privileges:true"],
            "pids_limit": 96,
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": 1_000_000_000,
            "ulimits": [
                docker.types.Ulimit(name="nofile", soft=256, hard=256),
                docker.types.Ulimit(name="core", soft=0, hard=0),
            ],
            "log_config": docker.types.LogConfig(type="none"),
            "auto_remove": True,
            "runtime": self.runtime,
        }

    def users(self) -> list[str]:
        """Return a solution's and a judge's uid that no other container on the host uses.

        RLIMIT_NPROC counts a user's processes over the whole host.
        """
        first = 2 * (5_000 + secrets.randbelow(25_000 if self.user_namespace else 1_000_000_000))
        return [str(first), str(first + 1)]


class Container:
    """A started container. `send` and `receive` may be called from two threads."""

    def __init__(self, client: docker.DockerClient, lockdown: Lockdown, place: int = 0) -> None:
        """`place` numbers the processor, of those it may use, on which all its processes run."""
        self._api = client.api
        self._bytes = b""
        self._errors = b""
        self.id = ""
        try:
            self.id = self._create(lockdown, place)
            self._attach()
            self._api.start(self.id)
            self._await_ready()
        except DOCKER_FAILURES as error:
            self.close()
            raise SandboxError(f"no container starts: {error}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line; raises OSError when the container is gone."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            with self._turn:
                sent = self._socket.send(data[: 1 << 16])
            data = data[sent:]

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, None at the end; raises TimeoutError after half a second."""
        while (end := self._bytes.find(b"\n")) < 0:
            part = self._read_frame()
            if part is None:
                return None
            self._bytes += part
        line, self._bytes = self._bytes[:end], self._bytes[end + 1 :]
        message = json.loads(line)
        if type(message) is not dict:
            raise ValueError("not a message")
        return message

    def last_words(self) -> str:
        """Return the end of what its process 1 wrote to stderr."""
        return self._errors.decode("utf-8", "replace").strip()

    def hang_up(self) -> None:
        """Break the connection; the container's process 1 then leaves."""
        if hasattr(self, "_socket"):
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up and remove the container, whatever state it is in."""
        self.hang_up()
        if hasattr(self, "_socket"):
            self._socket.close()
            # the response holds a second reference, without which the descriptor stays open
            self._stream._response.close()
            self._stream.close()
        if self.id:
            with contextlib.suppress(*DOCKER_FAILURES):
                self._api.remove_container(self.id, force=True)

    def _create(self, lockdown: Lockdown, place: int) -> str:
        made = self._api.create_container(
            lockdown.image,
            command=[*lockdown.users(), str(place)],
            stdin_open=True,
            labels={LABEL: owner(), HOST_LABEL: host_identity()},
            host_config=self._api.create_host_config(**lockdown.host_settings()),
        )
        return str(made["Id"])

    def _attach(self) -> None:
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._stream = self._api.attach_socket(self.id, params=wanted)
        # over a Unix socket the SDK returns a file around it, over TLS the socket itself
        self._socket: socket.socket = getattr(self._stream, "_sock", self._stream)
        self._socket.settimeout(None)
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        # OpenSSL allows one thread at a time; a plain socket needs no such care
        self._turn = Lock() if isinstance(self._socket, ssl.SSLSocket) else nullcontext()
        self._raw = b""

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                message = self.receive()
            except TimeoutError:
                continue
            if message is not None and message.get("ready"):
                return
            break
        raise SandboxError(
            f"a container did not get ready: {self.last_words() or 'no reason given'}"
        )

    def _read_frame(self) -> bytes | None:
        """Return the next bytes of stdout, None at the end."""
        while True:
            header = self._read(_FRAME.size)
            if header is None:
                return None
            stream, length = _FRAME.unpack(header)
            body = self._read(_FRAME.size + length)
            if body is None:
                return None
            self._raw = self._raw[_FRAME.size + length :]
            if stream == _STDOUT:
                return body[_FRAME.size :]
            self._errors = (self._errors + body[_FRAME.size :])[-2048:]

    def _read(self, length: int) -> bytes | None:
        """Return the first `length` bytes not yet consumed; a time-out loses none."""
        while len(self._raw) < length:
            part = self._receive_some()
            if not part:
                return None
            self._raw += part
        return self._raw[:length]

    def _receive_some(self) -> bytes:
        held = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if not held and not self._readable.poll(_TICK_SECONDS * 1000):
            raise TimeoutError
        with self._turn:
            return self._socket.recv(1 << 16)


def owner() -> str:
    """Return what tells this process from every other, earlier or later, on this host."""
    return f"{os.getpid()}/{_start_time(os.getpid())}"


def host_identity() -> str:
    """Return what tells this machine and process namespace from others that share a daemon."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def sweep(client: docker.DockerClient) -> None:
    """Remove containers whose owner, a process of this host, is dead.

    Another process may be sweeping at the same time, and be the one that removes them.
    """
    api = client.api
    wanted = {"label": f"{HOST_LABEL}={host_identity()}"}
    for found in api.containers(all=True, filters=wanted):
        if not _is_alive(found["Labels"].get(LABEL, "")):
            with contextlib.suppress(NotFound, APIError):
                api.remove_container(found["Id"], force=True)


def _is_alive(label: str) -> bool:
    pid, _, start = label.partition("/")
    return pid.isdigit() and _start_time(int(pid)) == start != "gone"


def _start_time(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; "gone" for one that is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return "gone"
    return "unknown"
