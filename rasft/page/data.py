"""A run as what the page reads: an index that it opens with, and parts that it opens when asked.

Each part holds a few dozen problems with all their texts. Of a very large run the page has the
texts of the first problems alone, and says so; its tables always have every problem.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rasft.page import token_weights, tokens, weights
from rasft.page.evaluation import EvaluatedProblem, evaluated
from rasft.page.stored import RunTables
from rasft.page.tokens import Pieces
from rasft.page.views import ProblemView, ResponseView, ids_of, view
from rasft.progress import track
from rasft.records import EXPERT, Problem

PART = 40  # problems
MOST_RESPONSES = 20_000  # whose texts are on the page, of rollouts and of the evaluation each
EXCERPT = 160  # characters of a prompt in a table
CURVE = ("step", "loss", "nll", "grad_norm", "learning_rate", "mean_weight", "mean_ratio", "reward")

Json = dict[str, Any]


@dataclass(frozen=True)
class PackedRun:
    """`index` names the part of each problem's row; a row without one has no texts here."""

    index: Json
    parts: Sequence[list[Json]]


def pack(run: RunTables, pieces: Pieces | None) -> PackedRun:
    """The run for the page; without `pieces` its responses are not cut into tokens."""
    names, answers = ids_of(run), evaluated(run)
    problems = _Parts(1 + len(run.rollouts.get(name, ())) for name in names)
    benchmarks = _Parts(sum(len(each.responses) for each in found.answered) for found in answers)
    rows, shown = [], []
    for number, name in enumerate(track(names, len(names), "page", "problems")):
        found = view(run, name)  # one at a time: the tokens of all are many
        rows.append(_row(found, problems.place(number)))
        if number < problems.shown:
            shown.append(problem(run, found, pieces))
    parts = [
        *problems.cut(shown),
        *benchmarks.cut([_evaluated(found) for found in answers[: benchmarks.shown]]),
    ]
    after = -(-problems.shown // PART)  # the evaluation's parts come after those of the problems
    index = {
        "id": run.id,
        "name": run.config.name,
        "method": run.config.training.method,
        "notes": list(run.notes),
        "methods": _methods(run),
        "problems": rows,
        "evaluation": [
            _evaluated_row(found, benchmarks.place(i, after)) for i, found in enumerate(answers)
        ],
        "accuracies": [asdict(row) for row in run.accuracies],
        "differences": [{**asdict(row), "real": row.is_real} for row in run.differences],
        "curve": [_step(row) for row in run.curve],
        "trained": _trained(run),
        "moved": run.moved,
        "hasTokens": pieces is not None,
        "rescored": bool(run.trained_scores),
    }
    return PackedRun(index, parts)


class _Parts:
    """Which rows have texts on the page, and in which part."""

    def __init__(self, responses: Iterable[int]):
        self.shown = total = 0
        for count in responses:
            total += count
            if total > MOST_RESPONSES:
                break
            self.shown += 1

    def cut(self, rows: list[Json]) -> list[list[Json]]:
        return [rows[start : start + PART] for start in range(0, len(rows), PART)]

    def place(self, row: int, after: int = 0) -> list[int] | None:
        """[part, place in it] of a row."""
        return [after + row // PART, row % PART] if row < self.shown else None


def problem(run: RunTables, found: ProblemView, pieces: Pieces | None) -> Json:
    """One problem with everything the page shows of it."""
    prompt = run.prompts.get(found.id)
    return {
        "id": found.id,
        **(_asked(found.problem) if found.problem else {}),
        "rendered": pieces.text(prompt) if pieces and prompt else None,
        "bucket": found.bucket,
        "group": asdict(found.group) if found.group else None,
        "derivation": asdict(found.derivation) if found.derivation else None,
        "posterior": found.posterior,
        "loss": found.expert_loss,
        "kinds": weights.by_kind(found.group) if found.group else {},
        "dropped": [asdict(row) for row in found.dropped],
        "responses": [_response(response, pieces) for response in found.responses],
    }


def _asked(asked: Problem) -> Json:
    names = ("prompt", "verifier", "answer", "choices", "tests", "setup", "code_prefix", "source")
    return {name: getattr(asked, name) for name in names}


def _response(found: ResponseView, pieces: Pieces | None) -> Json:
    cut = pieces.pieces(found.token_ids) if pieces and found.token_ids else None
    verdict = found.verdict
    return {
        "index": found.sample_index,
        "text": "".join(cut) if cut else found.text,
        "fate": found.fate,
        "like": found.like,
        "weight": found.weight,
        "steps": found.steps,
        "finish": found.finish_reason,
        "lengths": tokens.pack_lengths(cut) if cut else None,
        "logps": tokens.pack_logps(found.logps) if cut and found.logps else None,
        "trained": tokens.pack_logps(found.trained_logps) if cut and found.trained_logps else None,
        "change": found.change,
        "status": str(verdict.status) if verdict else None,
        **(_judged(verdict) if verdict else {}),
    }


def _judged(verdict: Any) -> Json:
    names = ("answer", "detail", "stdout", "stderr", "seconds")
    return {name: getattr(verdict, name) for name in names if getattr(verdict, name)}


def _row(found: ProblemView, place: list[int] | None) -> Json:
    asked, group = found.problem, found.group
    own = [r for r in found.responses if r.sample_index != EXPERT]
    lengths = [len(r.token_ids) or len(r.text.split()) for r in own or found.responses]
    return {
        "id": found.id,
        "prompt": _excerpt(asked.prompt) if asked else "",
        "source": asked.source if asked else "",
        "verifier": asked.verifier if asked else "",
        "bucket": found.bucket,
        "solvability": group.solvability if group else None,
        "weight": group.expert_weight if group else None,
        "own": len(group.rollout_indices) if group else 0,
        "ownWeight": sum(group.rollout_weights) if group else 0,
        "loss": None if found.expert_loss is None else round(found.expert_loss, 4),
        "length": round(sum(lengths) / len(lengths)) if lengths else None,
        "verdicts": Counter(found.statuses),
        "fates": Counter(r.fate for r in own),
        "dropped": found.dropped[0].reason if found.dropped else "",
        "place": place,
    }


def _excerpt(text: str) -> str:
    return " ".join(text.split())[:EXCERPT]


def _evaluated(found: EvaluatedProblem) -> Json:
    return {
        "id": found.problem.id,
        "benchmark": found.benchmark,
        **_asked(found.problem),
        "change": found.change,
        "answered": [
            {
                "checkpoint": each.checkpoint,
                "share": each.share,
                "statuses": each.result.statuses,
                "answers": each.result.answers,
                "responses": [
                    {
                        "text": response.text,
                        "status": response.status,
                        "answer": response.answer,
                        "detail": response.detail,
                        "finish": response.finish_reason,
                    }
                    for response in each.responses
                ],
            }
            for each in found.answered
        ],
    }


def _evaluated_row(found: EvaluatedProblem, place: list[int] | None) -> Json:
    return {
        "id": found.problem.id,
        "benchmark": found.benchmark,
        "prompt": _excerpt(found.problem.prompt),
        "shares": {each.checkpoint: each.share for each in found.answered},
        "verdicts": Counter(str(s) for each in found.answered for s in each.result.statuses),
        "change": found.change,
        "place": place,
    }


def _methods(run: RunTables) -> Json:
    """Every method's factors, and which sequences it trains on."""
    constants = run.config.training.loss
    return {
        name: {"examples": kind, "factors": token_weights.factors(name, constants)}
        for name, kind in weights.methods().items()
    }


def _step(row: Mapping[str, float | None]) -> Json:
    """What is shown of an optimizer step; JSON has no infinities."""
    found = {name: row.get(name) for name in CURVE}
    return {k: value for k, value in found.items() if value is not None and math.isfinite(value)}


def _trained(run: RunTables) -> dict[int, list[list[Any]]]:
    """The sequences of each optimizer step: [problem, sample_index]."""
    rows = {name: row for row, name in enumerate(ids_of(run))}
    steps: dict[int, list[list[Any]]] = {}
    for (problem_id, index), taken in run.steps.items():
        for step in taken:
            steps.setdefault(step, []).append([rows.get(problem_id, problem_id), index])
    return steps
