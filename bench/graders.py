"""Three graders of math answers on one set of responses, and every pair on which they disagree.

    python -m bench.graders --list disagreements.md
    python -m bench.graders --ledger ~/.cache/rasft/ledger
    python -m bench.graders --rows tests/golden/math_pairs.jsonl

The responses are boxed rewrites of the golds in RASFT_DATA_DIR/math, whose truth is known by how
they were made (`bench.rewrites`); or the samples of a ledger, judged against their problems; or
rows of `rasft verify` with a field `correct`. Judged are the math verifier (two workers, no cache),
math-verify with its own timeouts, and the metric that published tables used, `qwen25_math`. Prints
Markdown. Sets whose rules have a tolerance get no near miss that it could allow.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.rewrites import rewrites
from rasft.answers.reference_metric import reference_correct
from rasft.errors import UserError
from rasft.records import Problem, Status
from rasft.verifiers import Submission
from rasft.verifiers.math import build

SETS = {
    "math500": None, "aime24": "aime", "aime25": "aime", "amc23": "amc",
    "minerva_math": "minerva", "olympiadbench": "olympiadbench",
}  # fmt: skip
WITH_TOLERANCE = ("minerva", "olympiadbench")
NEARBY = ("rounded to four places", "one more or less")  # right, where a tolerance allows them
SHOWN = 60  # characters of a text in the list


@dataclass(frozen=True)
class Row:
    """One response to a gold; `right` is None where nobody said."""

    kind: str
    problem: Problem
    response: str
    right: bool | None


@dataclass(frozen=True)
class Judged:
    """What one grader accepted, in the rows' order, and how long it took."""

    accepted: list[bool]
    seconds: float


def rewritten_golds(folder: Path, seed: int = 0) -> Iterator[Row]:
    """Every rewrite of every gold of the six sets; raises UserError where they are not."""
    chance = random.Random(seed)
    for name, rules in SETS.items():
        path = folder / "math" / f"{name}.jsonl"
        if not path.is_file():
            raise UserError(f"{path}: no such file; set RASFT_DATA_DIR to the folder of the sets")
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            problem = Problem(str(row["id"]), "", "math", answer=str(row["answer"]), rules=rules)
            for rewrite in rewrites(str(row["answer"]), chance):
                if rules in WITH_TOLERANCE and rewrite.kind in NEARBY:
                    continue
                response = f"Adding up, the answer is $\\boxed{{{rewrite.answer}}}$."
                yield Row(rewrite.kind, problem, response, rewrite.right)


def labelled_rows(path: Path) -> Iterator[Row]:
    """Rows of `rasft verify`, with `correct` and `family` where they say them."""
    for number, row in enumerate(map(json.loads, path.read_text(encoding="utf-8").splitlines())):
        problem = Problem(
            str(number), "", "math", answer=row["answer"], rules=row.get("rules"),
            tolerance=row.get("tolerance"),
        )  # fmt: skip
        yield Row(row.get("family", "rows"), problem, row["response"], row.get("correct"))


def stored_samples(path: str) -> Iterator[Row]:
    """The samples of math problems in a ledger."""
    from rasft.ledger import Ledger
    from rasft.ledger.rows import SampleRow, read_problem
    from rasft.ledger.store import Store
    from rasft.ledger.table import LedgerTable

    store = Store(path)
    problems = {row.problem: read_problem(row) for row in Ledger(store).problems().rows()}
    for folder in sorted(store.folders("samples")):
        samples: LedgerTable[SampleRow] = LedgerTable(store, "samples", {}, SampleRow, 60.0)
        samples.folder = folder
        for sample in samples.rows():
            problem = problems.get(sample.problem)
            if problem is not None and problem.verifier == "math" and problem.answer:
                yield Row("sample", problem, sample.text, None)


def ours(rows: Sequence[Row]) -> Judged:
    """This project's math verifier, its workers started before the clock."""
    with build({"workers": 2, "cache": False}) as verifier:
        list(verifier.judge([Submission(Problem("", "", "math", answer="x+1"), "\\boxed{1+x}")]))
        start = time.perf_counter()
        judged = list(verifier.judge(Submission(row.problem, row.response) for row in rows))
        seconds = time.perf_counter() - start
    return Judged([judgement.status is Status.CORRECT for judgement in judged], seconds)


def math_verify(rows: Sequence[Row]) -> Judged:
    """math-verify as its own documentation calls it; what raises is refused."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    parse("$1$")

    def accepts(row: Row) -> bool:
        gold = row.problem.answer or ""
        try:
            return bool(verify(parse(gold if "$" in gold else f"${gold}$"), parse(row.response)))
        except Exception:  # whatever it raises is a refusal, as in a training that uses it
            return False

    return _timed(accepts, rows)


def reference(rows: Sequence[Row]) -> Judged:
    """The metric of published tables."""
    return _timed(lambda row: reference_correct(row.response, row.problem.answer or ""), rows)


def _timed(accepts: Callable[[Row], bool], rows: Sequence[Row]) -> Judged:
    start = time.perf_counter()
    accepted = [accepts(row) for row in rows]
    return Judged(accepted, time.perf_counter() - start)


GRADERS = {"rasft": ours, "math-verify": math_verify, "qwen25_math": reference}


def table(rows: Sequence[Row], judged: dict[str, Judged]) -> Iterator[str]:
    """A line a grader: how often it was right and wrong, and its time."""
    known = any(row.right is not None for row in rows)
    heads = ["right accepted", "right refused", "wrong refused", "wrong accepted"]
    yield f"| grader | {' | '.join(heads) if known else 'accepted | refused'} | ms a pair |"
    yield "|---" * ((len(heads) if known else 2) + 2) + "|"
    for name, verdicts in judged.items():
        pairs = list(zip(rows, verdicts.accepted, strict=True))
        cases = [(True, True), (True, False), (False, False), (False, True)]
        if known:
            counts = [sum((row.right, yes) == case for row, yes in pairs) for case in cases]
        else:
            counts = [sum(yes is case for _, yes in pairs) for case in (True, False)]
        figures = " | ".join(f"{count:,}" for count in counts)
        yield f"| {name} | {figures} | {1000 * verdicts.seconds / max(len(rows), 1):.2f} |"


def disagreements(rows: Sequence[Row], judged: dict[str, Judged]) -> dict[str, list[int]]:
    """The rows on which the graders disagree, by kind, as positions."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if len({verdicts.accepted[place] for verdicts in judged.values()}) > 1:
            found[row.kind].append(place)
    return dict(sorted(found.items()))


def summary(rows: Sequence[Row], judged: dict[str, Judged]) -> Iterator[str]:
    """A line a kind: on how many pairs the graders disagree, and how often each is right there."""
    yield f"| kind | pairs | disagreed | {' | '.join(judged)} |"
    yield "|---" * (len(judged) + 3) + "|"
    for kind, places in disagreements(rows, judged).items():
        total = sum(row.kind == kind for row in rows)
        right = [
            sum(verdict.accepted[n] == rows[n].right for n in places) for verdict in judged.values()
        ]
        figures = (
            " | ".join(map(str, right))
            if rows[places[0]].right is not None
            else " | ".join("?" * len(judged))
        )
        yield f"| {kind} | {total:,} | {len(places):,} | {figures} |"


def listing(rows: Sequence[Row], judged: dict[str, Judged]) -> Iterator[str]:
    """Each pair on which the graders disagree, under its kind: who accepts it, who is right."""
    for kind, places in disagreements(rows, judged).items():
        yield f"\n## {kind}\n"
        yield "| gold | response | accepted by | right |\n|---|---|---|---|"
        for place in places:
            row = rows[place]
            accepting = [name for name, verdicts in judged.items() if verdicts.accepted[place]]
            right = [n for n, verdicts in judged.items() if verdicts.accepted[place] is row.right]
            texts = [_cell(row.problem.answer or ""), _cell(row.response)]
            said = ", ".join(right) if row.right is not None else "?"
            yield f"| {' | '.join(texts)} | {', '.join(accepting)} | {said} |"


def _cell(text: str) -> str:
    """The end of a text, where its answer stands, as code in a cell."""
    shown = " ".join(text.split())[-SHOWN:].replace("|", "\\|").replace("`", "'")
    return f"`{shown}`"


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", help="judge the samples of this ledger instead")
    parser.add_argument("--rows", type=Path, help="judge these rows of JSON instead")
    parser.add_argument("--pairs", type=int, help="judge so many, drawn at random")
    parser.add_argument("--list", type=Path, help="write each disagreement to this file")
    chosen = parser.parse_args()
    if chosen.ledger:
        rows = list(stored_samples(chosen.ledger))
    elif chosen.rows:
        rows = list(labelled_rows(chosen.rows))
    else:
        rows = list(rewritten_golds(Path(os.environ.get("RASFT_DATA_DIR", "data"))))
    if chosen.pairs and chosen.pairs < len(rows):
        rows = random.Random(0).sample(rows, chosen.pairs)
    judged = {name: grade(rows) for name, grade in GRADERS.items()}
    print(f"{len(rows):,} pairs\n", *table(rows, judged), "", *summary(rows, judged), sep="\n")
    if chosen.list:
        chosen.list.write_text("\n".join(listing(rows, judged)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
