"""What rollouts cost beside their sampling: the ledger, the join's aggregation, the artifacts.

    python -m bench.ledger --problems 1000 10000 100000

Synthetic rollouts, K a problem: about 120 words and 160 tokens each, a sixth of them
near-duplicates of the one before; after 1,000 problems the texts repeat. Each stage runs in a
process of its own. `cpu` counts the seconds of all its processes from their start, `peak_mb` is
their memory together, seen every 50 ms, and `idle_mb` that of an interpreter that has only imported
everything.
Prints JSON: seconds, memory, files and bytes a stage and size, and a straight line through the two
largest sizes, read off at a million problems.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from bench.watching import Memory
from rasft.config.files import CONFIGS, load
from rasft.config.settings import Config
from rasft.ledger import Ledger
from rasft.ledger.rows import SampleRow, SampleSource
from rasft.ledger.store import Store
from rasft.ledger.upkeep import inventory, merge
from rasft.method.streaming import stream_examples, stream_groups
from rasft.records import Group, Rollout, Route, SequenceScore, Status, TrainingExample, Verdict
from rasft.tables import take, to_table

SAMPLES = 8
ROWS_A_FLUSH = 6_000  # 100 samples a second, flushed every 60 s
PROBLEMS_APART = 1_000  # with texts of their own
SHARDS = 32  # of which one asks for its samples
TARGET = 1_000_000
SOURCE = SampleSource("0" * 64, "bench 1", "bfloat16", 0.9, 0.95, 1.1, (2,))
WORDS = [f"{stem}{end}" for stem in ("num", "app", "tot", "ad", "eq") for end in range(400)]
GLUE = "so we add the number and get = then this means each total x".split()  # noqa: SIM905

Stage = Callable[[int, str], dict[str, float]]


def texts(chance: random.Random) -> Iterator[str]:
    """One problem's responses."""
    words: list[str] = []
    for _ in range(SAMPLES):
        if words and chance.random() < 1 / 6:
            words = [*words[:-1], chance.choice(WORDS)]
        else:
            pairs = zip(chance.choices(WORDS, k=60), chance.choices(GLUE, k=60), strict=True)
            words = [word for pair in pairs for word in pair]
        yield f"{' '.join(words)} \\boxed{{{chance.randrange(9)}}}"


@cache
def responses(number: int) -> list[tuple[str, tuple[int, ...]]]:
    """The texts and tokens of problem `number`, below PROBLEMS_APART."""
    chance = random.Random(number)
    return [(text, tuple(chance.choices(range(50_000), k=160))) for text in texts(chance)]


def rollouts(part: range) -> Iterator[Rollout]:
    """The rollouts of some problems, the same for the same numbers."""
    for number in part:
        for index, (text, tokens) in enumerate(responses(number % PROBLEMS_APART)):
            yield Rollout(f"problem-{number:08}", index, index, tokens, text, "stop")


def table(problems: int, record: type, make: Callable[[Rollout], Any]) -> pa.Table:
    """Rows made from each rollout of so many problems; nothing is shared between them."""
    first = to_table(map(make, rollouts(range(min(problems, PROBLEMS_APART)))), record)
    rows = np.arange(problems * SAMPLES)
    names = pa.array(f"problem-{row // SAMPLES:08}" for row in range(len(rows)))
    place = first.schema.get_field_index("problem_id")
    return take(first, rows % first.num_rows).set_column(place, first.schema.field(place), names)


def verdict(row: Rollout) -> Verdict:
    """Half of them correct, by the sample alone."""
    right = random.Random(f"{row.problem_id} {row.sample_index}").random() < 0.5
    status = Status.CORRECT if right else Status.INCORRECT
    return Verdict(row.problem_id, row.sample_index, "math", "v", status, "7", 0.01, "equal")


def write(problems: int, root: str) -> dict[str, float]:
    """Put every sample into the ledger, a file for each flush."""
    store = Store(root)
    spent = 0.0
    with Ledger(store, flush_seconds=1e9).samples(SOURCE) as stored:
        for number, row in enumerate(rollouts(range(problems)), 1):
            key = f"{row.problem_id}-{row.sample_index:02}".rjust(32, "0")
            began = time.perf_counter()
            stored.put(SampleRow(key=key, problem="0" * 32, run_seed=0, **vars(row)))
            if number % ROWS_A_FLUSH == 0:
                stored.flush()
            spent += time.perf_counter() - began
    (folder,) = inventory(store)
    return {"seconds": spent, "files": folder.files, "disk_mb": folder.bytes / 1e6}


def read(problems: int, root: str) -> dict[str, float]:
    """One shard asks for its samples; then the small files are merged, and it asks again."""
    store = Store(root)
    stored = Ledger(store).samples(SOURCE)
    names = [f"problem-{number:08}" for number in range(0, problems, SHARDS)]
    keys = [f"{name}-{index:02}".rjust(32, "0") for name in names for index in range(SAMPLES)]
    found, seconds = timed(lambda: stored.find(keys))
    assert len(found) == len(keys)
    (folder,) = inventory(store)
    _, merging = timed(lambda: merge(store, folder))
    found, again = timed(lambda: stored.find(keys))
    assert len(found) == len(keys)
    return {
        "seconds": seconds,
        "rows": len(keys),
        "merge_seconds": merging,
        "files_after_merge": len(store.files(folder.path)),
        "seconds_after_merge": again,
    }


def aggregate(problems: int, root: str) -> dict[str, float]:
    """Solvability and weights of all problems, from the columns that decide them."""
    config: Config = load(CONFIGS / "demo.yaml")
    routes = [Route(f"problem-{number:08}", "rollout", True) for number in range(problems)]
    sampled = table(problems, Rollout, lambda row: replace(row, token_ids=()))
    judged = table(problems, Verdict, verdict)
    groups, seconds = timed(lambda: to_table(stream_groups(routes, sampled, judged, config), Group))
    assert groups.num_rows == problems
    return {
        "seconds": seconds,
        "tables_mb": (sampled.nbytes + judged.nbytes) / 1e6,
        "groups_mb": groups.nbytes / 1e6,
    }


def examples(problems: int, root: str) -> dict[str, float]:
    """The sequences that are trained on: three rollouts of each problem."""
    scores = table(problems, SequenceScore, score)
    groups = [
        Group(
            problem_id=f"problem-{number:08}",
            bucket="rollout",
            sampled=SAMPLES,
            unique=SAMPLES,
            undecided=0,
            correct=4,
            incorrect_kept=4,
            solvability=0.5,
            expert_reward=0.0,
            expert_weight=1.0,
            rollout_indices=(0, 2, 5),
            rollout_weights=(0.5,) * 3,
            dropped=(),
        )
        for number in range(problems)
    ]
    prompt = tuple(range(60))
    made, seconds = timed(
        lambda: to_table(
            stream_examples("own", groups, scores, lambda name: prompt), TrainingExample
        )
    )
    assert made.num_rows == 3 * problems
    return {"seconds": seconds, "scores_mb": scores.nbytes / 1e6, "examples_mb": made.nbytes / 1e6}


def artifacts(problems: int, root: str) -> dict[str, float]:
    """What a join stores of the samples: rollouts, scores and verdicts as pickled tables."""
    made = {
        "rollouts": table(problems, Rollout, lambda row: row),
        "scores": table(problems, SequenceScore, score),
        "verdicts": table(problems, Verdict, verdict),
    }
    sizes: dict[str, float] = {}
    spent = 0.0
    for name, rows in made.items():
        content, seconds = timed(lambda rows=rows: pickle.dumps(rows, protocol=5))
        sizes[f"{name}_mb"] = len(content) / 1e6
        spent += seconds
    return {"seconds": spent, **sizes}


def score(row: Rollout) -> SequenceScore:
    """A made-up log-probability for each token."""
    return SequenceScore(row.problem_id, row.sample_index, row.token_ids, (-0.5,) * 160)


STAGES: dict[str, Stage] = {
    "write": write,
    "read": read,
    "aggregate": aggregate,
    "examples": examples,
    "artifacts": artifacts,
}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def run(stage: str, problems: int, root: str, answer: Any) -> None:
    """One stage, in this process; its figures go into the pipe."""
    memory = Memory()
    memory.start()
    figures = STAGES[stage](problems, root)
    cpu = sum(memory.cpu.values())
    answer.send({**figures, "cpu": cpu, "peak_mb": memory.peak, "idle_mb": memory.idle})


def measure(stage: str, problems: int, root: str) -> dict[str, float]:
    """One stage in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(stage, problems, root, there))
    process.start()
    there.close()
    figures: dict[str, float] = here.recv()
    process.join()
    print(f"{problems} problems, {stage}: {figures}", file=sys.stderr, flush=True)
    return {name: round(value, 3) for name, value in figures.items()}


def extrapolated(sizes: dict[int, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Each figure at the target, on the line through the two largest sizes."""
    small, large = sorted(sizes)[-2:]
    further = (TARGET - large) / (large - small)
    return {
        stage: {
            name: round(value + (value - sizes[small][stage][name]) * further, 1)
            for name, value in figures.items()
        }
        for stage, figures in sizes[large].items()
    }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    chosen = parser.parse_args()
    sizes: dict[int, dict[str, dict[str, float]]] = {}
    for problems in chosen.problems:
        with tempfile.TemporaryDirectory() as root:
            sizes[problems] = {name: measure(name, problems, root) for name in chosen.stages}
    found: dict[str, Any] = {"samples_per_problem": SAMPLES, "measured": sizes}
    if len(sizes) > 1:
        found[f"extrapolated to {TARGET} problems"] = extrapolated(sizes)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
