"""The machine's failures: dead host processes, dying containers, a daemon that restarts, TLS."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import psutil
import pytest

from rasft.config import files as config_files
from rasft.records import Problem, Rollout, Verdict
from rasft.stages import verify
from rasft.tables import from_table, to_table
from sandbox import image
from sandbox.container import HOST_LABEL, LABEL, Container, Lockdown, host_identity, owner, sweep
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import CORRECT, INCORRECT, UNDECIDED, SandboxError, SandboxJob

pytestmark = [
    pytest.mark.docker,
    # A daemon that goes between connect and handshake leaves a socket that Python 3.11's ssl does
    # not close (SSLSocket._create); whichever test runs at the next collection would fail.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
    ),
]

ENDLESS = """
import itertools
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import SandboxJob
with Pool(PoolSettings(containers=2)) as pool:
    source = "import time\\ndef f(x):\\n    time.sleep(5)\\n    return x"
    jobs = (SandboxJob(source if n > 50 else "def f(x): return x", "assert f(1) == 1")
            for n in itertools.count())
    for number, outcome in enumerate(pool.run(jobs)):
        print(number, outcome.status, flush=True)
"""


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = image.connect()
    yield found
    found.close()


def containers_of(client: docker.DockerClient, label: str) -> list[str]:
    found = client.api.containers(all=True, filters={"label": f"{LABEL}={label}"})
    return [each["Id"] for each in found]


def numbered_jobs(count: int, seconds: float = 0.0) -> Iterator[SandboxJob]:
    """Jobs of which every third is wrong, so that lost, doubled or shuffled verdicts show."""
    for number in range(count):
        source = f"import time\ntime.sleep({seconds})\ndef f():\n    return {number}\n"
        yield SandboxJob(source, f"assert f() == {-1 if number % 3 == 0 else number}")


def numbered_statuses(count: int) -> list[str]:
    return [INCORRECT if number % 3 == 0 else CORRECT for number in range(count)]


def wait_until(condition: object, seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_a_killed_host_process_leaves_no_container(client: docker.DockerClient) -> None:
    image.ensure_image(client=client)
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process, process.stdout:
        for _ in range(30):
            assert process.stdout.readline()
        started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        label = f"{process.pid}/{started}"
        assert len(containers_of(client, label)) == 2
        process.kill()
    # they notice by themselves, in the middle of a program too; the sweep is for what cannot
    assert wait_until(lambda: not containers_of(client, label))


def test_a_sweep_removes_what_a_dead_owner_left(client: docker.DockerClient) -> None:
    tag = image.ensure_image(client=client)
    dead = subprocess.Popen(["true"])
    dead.wait()
    labels = {LABEL: f"{dead.pid}/1", HOST_LABEL: host_identity()}
    client.api.create_container(tag, labels=labels)
    with Container(client, Lockdown(tag)) as alive:
        with ThreadPoolExecutor(3) as sweepers:  # as when pools start side by side
            list(sweepers.map(sweep, [client] * 3))
        assert wait_until(lambda: not containers_of(client, labels[LABEL]))
        assert alive.id in containers_of(client, owner())


def test_a_container_that_dies_costs_no_verdict(client: docker.DockerClient) -> None:
    with Pool(PoolSettings(containers=2)) as pool:
        outcomes = pool.run(numbered_jobs(120, seconds=0.02))
        statuses = [next(outcomes).status for _ in range(10)]
        for found in containers_of(client, owner()):
            client.api.kill(found)
        statuses += [outcome.status for outcome in outcomes]
    assert statuses == numbered_statuses(120)
    assert containers_of(client, owner()) == []


def test_a_program_whose_container_dies_twice_is_undecided(client: docker.DockerClient) -> None:
    sleeper = SandboxJob("import time\ntime.sleep(1000)", "assert f()")
    with Pool(PoolSettings(containers=1)) as pool:
        future = pool.submit(sleeper)
        killed: set[str] = set()
        while not future.done():
            for found in set(containers_of(client, owner())) - killed:
                time.sleep(1.0)  # long enough to have started the program
                client.api.kill(found)
                killed.add(found)
            time.sleep(0.05)
        assert future.result().status == UNDECIDED
        assert len(killed) == 2
        assert next(pool.run(numbered_jobs(1))).status == INCORRECT


def test_containers_are_replaced_after_their_share(client: docker.DockerClient) -> None:
    with Pool(PoolSettings(containers=1, recycle_after=20)) as pool:
        statuses = [outcome.status for outcome in pool.run(numbered_jobs(70))]
    assert statuses == numbered_statuses(70)


def test_a_thousand_verdicts_leak_nothing(client: docker.DockerClient) -> None:
    others = threading.active_count()  # of this process's libraries
    with Pool(PoolSettings(containers=2)) as pool:
        list(pool.run(numbered_jobs(50)))
        before = len(os.listdir("/proc/self/fd")), threading.active_count()
        assert [o.status for o in pool.run(numbered_jobs(1000))] == numbered_statuses(1000)
        after = len(os.listdir("/proc/self/fd")), threading.active_count()
        found = containers_of(client, owner())
        processes = [len(client.api.top(each)["Processes"]) for each in found]
    assert before == after
    assert processes == [6, 6]  # the supervisor and its five zygotes
    assert threading.active_count() <= others


# a daemon of its own, so that restarting it disturbs nobody


class Daemon:
    """A second Docker daemon that listens on TCP with TLS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._make_certificates()
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        return {
            "DOCKER_HOST": f"tcp://127.0.0.1:{self.port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(self.folder / "client"),
        }

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [
                    "dockerd",
                    "--data-root",
                    self.folder / "data",
                    "--exec-root",
                    self.folder / "exec",
                    "--pidfile",
                    self.folder / "pid",
                    "--host",
                    f"tcp://127.0.0.1:{self.port}",
                    "--iptables=false",
                    "--ip-masq=false",
                    "--tlsverify",
                    "--tlscacert",
                    self.folder / "client/ca.pem",
                    "--tlscert",
                    self.folder / "server.pem",
                    "--tlskey",
                    self.folder / "server-key.pem",
                ],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def kill(self) -> None:
        """As an out-of-memory killer does: its containerd dies with it, its shims live on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        # where process 1 reaps nothing, dockerd would take the dead containerd for a living one
        (self.folder / "exec/containerd/containerd.pid").unlink()

    def kill_shims(self) -> None:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if any(word.startswith(str(self.folder)) for word in words):
                process.kill()

    def _make_certificates(self) -> None:
        client = self.folder / "client"
        client.mkdir(parents=True)
        config = self.folder / "names"
        config.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
        openssl(
            f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=ca "
            f"-keyout {self.folder}/ca-key.pem -out {client}/ca.pem"
        )
        pairs = (
            (client / "key.pem", client / "cert.pem"),
            (self.folder / "server-key.pem", self.folder / "server.pem"),
        )
        for key, certificate in pairs:
            openssl(f"req -newkey rsa:2048 -nodes -subj /CN=x -keyout {key} -out {key}.csr")
            openssl(
                f"x509 -req -in {key}.csr -CA {client}/ca.pem -CAkey {self.folder}/ca-key.pem "
                f"-CAcreateserial -days 1 -extfile {config} -out {certificate}"
            )


def openssl(arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], check=True, capture_output=True)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    if os.getuid() != 0 or not shutil.which("dockerd") or not shutil.which("openssl"):
        pytest.skip("a daemon of its own needs root, dockerd and openssl")
    ready = image.connect()
    tag = image.ensure_image(client=ready)
    saved = b"".join(ready.images.get(tag).save(named=True))
    ready.close()
    # not under tmp_path: the path of a Unix socket may have only about a hundred characters
    made = Daemon(Path(f"/var/tmp/rasft-daemon-{os.getpid()}"))
    try:
        made.start()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in made.environment().items():
                patch.setenv(name, value)
            assert wait_until(_answers), (made.folder / "log").read_text()[-2000:]
            client = image.connect()
            client.images.load(saved)
            client.close()
            yield made
    finally:
        made.stop()
        made.kill_shims()
        shutil.rmtree(made.folder, ignore_errors=True)
        gc.collect()  # what was left open is told of here, see above


def _answers() -> bool:
    try:
        image.connect().close()
    except SandboxError:
        return False
    return True


@pytest.mark.parametrize("end", [Daemon.stop, Daemon.kill], ids=["stopped", "killed"])
def test_a_pool_over_tls_survives_a_restart_of_its_daemon(
    daemon: Daemon, end: Callable[[Daemon], None]
) -> None:
    with Pool(PoolSettings(containers=2)) as pool:
        outcomes = pool.run(numbered_jobs(300, seconds=0.01))
        statuses = [next(outcomes).status for _ in range(40)]
        end(daemon)
        daemon.start()
        statuses += [outcome.status for outcome in outcomes]
        client = image.connect()
        assert wait_until(lambda: len(containers_of(client, owner())) == 2)
        client.close()
    assert statuses == numbered_statuses(300)


def test_a_runtime_that_docker_lacks_is_named() -> None:
    with pytest.raises(SandboxError, match="no runtime 'runsc'"):
        Pool(PoolSettings(containers=1, runtime="runsc")).__enter__()


def test_the_verify_step_survives_a_restart_of_its_daemon(daemon: Daemon, tmp_path: Path) -> None:
    problems = [
        Problem(id=f"p{n}", prompt="", verifier="python", tests=job.tests, entry_point="f")
        for n, job in enumerate(numbered_jobs(200))
    ]
    rollouts = [
        Rollout(f"p{n}", 0, 0, (), f"```python\n{job.source}```", "stop")
        for n, job in enumerate(numbered_jobs(200, seconds=0.05))
    ]
    config = config_files.parse(f"extends: demo\nledger: {{path: {tmp_path}}}")
    restarted = threading.Event()

    def restart() -> None:
        client = image.connect()
        wait_until(lambda: containers_of(client, owner()))
        client.close()
        time.sleep(1.5)  # a fifth of the programs' time
        daemon.stop()
        restarted.set()
        daemon.start()

    thread = threading.Thread(target=restart)
    thread.start()
    table, _ = verify.verify(config, to_table(problems, Problem), to_table(rollouts, Rollout))
    assert restarted.is_set(), "the step ended before the daemon was restarted"
    thread.join()
    verdicts = from_table(table, Verdict)
    assert [row.problem_id for row in verdicts] == [row.id for row in problems]
    assert [row.status for row in verdicts] == numbered_statuses(200)


def test_without_docker_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(SandboxError, match="start Docker"), Pool(PoolSettings(containers=1)):
        pass
