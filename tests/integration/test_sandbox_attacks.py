"""Hostile programs: no cheat passes, nothing escapes, and the next program notices nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attacks.hostile_answers import DEEP, DEEPENED, GUESSES, TOO_DEEP, fenced
from attacks.reading import Program, programs

from rasft.records import Problem, Status
from rasft.verifiers import Submission
from rasft.verifiers.python import build
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import CORRECT, INCORRECT, UNDECIDED, Limits, SandboxJob

pytestmark = pytest.mark.docker

CHEATS = list(programs("cheat_*.txt"))
PROBES = list(programs("attack_probes.txt"))
RESOURCES = list(programs("attack_resources.txt"))
QUICK = Limits(cpu_seconds=0.5, wall_seconds=1.5, memory_mb=384)
# for programs that end by themselves: a search of the file system waits for a busy disk
PATIENT = Limits(cpu_seconds=5.0, wall_seconds=30.0, memory_mb=384)

SHORT = Limits(cpu_seconds=2.0, wall_seconds=8.0, memory_mb=384)  # a compiler takes a while

# each asks the same question in another way, so that a cheat meets every kind of comparison;
# solve(x) should be 7 * x + 3, or sorted(x) for a list
STYLES = {
    "equal": "assert solve(2) == 17",
    "reversed": "assert 17 == solve(2)",
    "not unequal": "assert not (solve(2) != 17)",
    "member": "assert solve(2) in [17]",
    "in a set": "assert {solve(2)} == {17}",
    "key": "assert {17: 'seventeen'}[solve(2)] == 'seventeen'",
    "tolerance": "assert abs(solve(2) - 17) < 1e-6",
    "isclose": "import math\nassert math.isclose(solve(2), 17)",
    "text": "assert str(solve(2)) == '17'",
    "type": "assert isinstance(solve(2), int) and solve(2) == 17",
    "sorted": "data = [3, 1, 2]\nassert solve(data) == sorted(data)",
    "mapped": "assert all(a == b for a, b in zip(map(solve, [2, 3]), [17, 24], strict=True))",
    "allclose": "import numpy as np\nassert np.allclose(solve(2), 17.0)",
    "testing": "import numpy as np\nnp.testing.assert_allclose(solve(2), 17.0)",
    "check": "def check(candidate):\n    assert candidate(2) == 17\n    assert candidate(0) == 3",
    "functions": "import pytest\nfrom solution import solve\n"
    "def test_value():\n    assert solve(2) == pytest.approx(17)",
}
FORMS = {"check": "check", "functions": "functions"}
HONEST = "def solve(x):\n    return sorted(x) if isinstance(x, list) else 7 * x + 3\n"

# finds whatever a program could have left for the next
SEARCH = r"""
import os
def attack():
    found = os.listdir("/tmp") + os.listxattr("/tmp")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        status = open(f"/proc/{pid}/status").read()
        if int(pid) != os.getpid() and f"Uid:\t{os.getuid()}\t" in status:
            found.append(pid)
    if oct(os.stat("/tmp").st_mode & 0o7777) != "0o1777":
        found.append("mode")
    if not found:
        raise OSError("nothing")
    return found
"""
PROBE_TESTS = """
# MARK-OF-THE-TESTS
outcome = "breached"
try:
    outcome = f"breached: {attack()!r}"
except (OSError, ValueError):
    outcome = "held"
assert outcome == "held", outcome
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One container, so that the program after an attack runs where the attack ran."""
    with Pool(PoolSettings(containers=1)) as opened:
        yield opened


def solve_job(source: str, style: str, limits: Limits = PATIENT) -> SandboxJob:
    """A program that claims to be `solve`, judged in one style."""
    return SandboxJob(source, STYLES[style], FORMS.get(style, "script"), "solve", limits=limits)


def attack_job(source: str, limits: Limits = PATIENT) -> SandboxJob:
    """A program whose `attack` raises OSError when it is held."""
    return SandboxJob(source, PROBE_TESTS, entry_point="attack", limits=limits)


def with_canaries(jobs: list[SandboxJob]) -> list[SandboxJob]:
    """Each job, then a right program, a wrong one and a search for what was left behind."""
    right = solve_job(HONEST, "equal")
    wrong = solve_job("def solve(x):\n    return 0\n", "equal")
    return [item for job in jobs for item in (job, right, wrong, attack_job(SEARCH))]


def test_there_are_enough_of_them() -> None:
    assert len(CHEATS) >= 60
    assert len(PROBES) + len(RESOURCES) >= 40
    everything = [program.name for program in (*CHEATS, *PROBES, *RESOURCES)]
    assert len(set(everything)) == len(everything)


def test_the_honest_program_passes_every_style(pool: Pool) -> None:
    outcomes = pool.run(solve_job(HONEST, style) for style in STYLES)
    failed = [
        (style, outcome)
        for style, outcome in zip(STYLES, outcomes, strict=True)
        if outcome.status != CORRECT
    ]
    assert failed == []


def test_no_cheat_passes_any_style(pool: Pool) -> None:
    pairs = [(cheat.name, style) for cheat in CHEATS for style in STYLES]
    jobs = (solve_job(cheat.source, style, QUICK) for cheat in CHEATS for style in STYLES)
    passed = [
        (*pair, outcome)
        for pair, outcome in zip(pairs, pool.run(jobs), strict=True)
        if outcome.status in (CORRECT, UNDECIDED)
    ]
    assert passed == []


def assert_held(pool: Pool, attacks: list[Program]) -> None:
    """Run each attack and its canaries in one container, and check all four outcomes."""
    limits = [QUICK if attack.statuses else PATIENT for attack in attacks]
    jobs = with_canaries(
        [attack_job(attack.source, limit) for attack, limit in zip(attacks, limits, strict=True)]
    )
    outcomes = list(pool.run(jobs))
    faults = []
    for number, attack in enumerate(attacks):
        first, right, wrong, search = outcomes[4 * number : 4 * number + 4]
        if first.status not in (attack.statuses or {CORRECT}):
            faults.append((attack.name, first))
        if (right.status, wrong.status, search.status) != (CORRECT, INCORRECT, CORRECT):
            faults.append((attack.name, right, wrong, search))
    assert faults == []


def test_probes_are_held(pool: Pool) -> None:
    assert_held(pool, PROBES)


def test_resource_attacks_are_held(pool: Pool) -> None:
    assert_held(pool, RESOURCES)


def test_cheats_leave_no_trace(pool: Pool) -> None:
    jobs = with_canaries([solve_job(cheat.source, "equal", QUICK) for cheat in CHEATS])
    outcomes = list(pool.run(jobs))
    faults = [
        (cheat.name, *outcomes[4 * number + 1 : 4 * number + 4])
        for number, cheat in enumerate(CHEATS)
        if [outcome.status for outcome in outcomes[4 * number + 1 : 4 * number + 4]]
        != [CORRECT, INCORRECT, CORRECT]
    ]
    assert faults == []


def test_no_hostile_answer_passes_or_spoils_the_next() -> None:
    row = Problem(id="p", prompt="", verifier="python", tests=STYLES["equal"], entry_point="solve")
    named = GUESSES | DEEPENED
    answers = [text for answer in named.values() for text in (answer, fenced(HONEST))]
    with build({"containers": 1, "cpu_seconds": 2.0, "wall_seconds": 8.0}) as verifier:
        found = list(verifier.judge(Submission(row, answer) for answer in answers))
    hostile = dict(zip(named, (each.status for each in found[::2]), strict=True))
    let_through = (Status.CORRECT, Status.UNDECIDED)
    assert [pair for pair in hostile.items() if pair[1] in let_through] == []
    assert {each.status for each in found[1::2]} == {Status.CORRECT}


def test_a_source_that_no_compiler_takes_is_not_the_program(pool: Pool) -> None:
    jobs = [
        SandboxJob(source, STYLES["equal"], "script", "solve", limits=SHORT, alternatives=(HONEST,))
        for source in DEEP.values()
    ]
    outcomes = dict(zip(DEEP, pool.run(jobs), strict=True))
    assert {name for name, found in outcomes.items() if found.chosen == 1} == TOO_DEEP
    assert {name for name, found in outcomes.items() if found.status == CORRECT} == TOO_DEEP
    assert UNDECIDED not in {found.status for found in outcomes.values()}
