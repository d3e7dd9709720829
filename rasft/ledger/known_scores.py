"""log pi_ref of given responses: from the ledger, and only the missing ones by a pass.

A caller whose scores are all in the ledger never imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rasft.ledger import Ledger
from rasft.ledger.rows import ScoreRow, score_key
from rasft.models import folders
from rasft.records import SequenceScore

# problem_id, sample_index, prompt token ids, response token ids
Response = tuple[str, int, tuple[int, ...], tuple[int, ...]]


def score_or_find(
    model: Path,
    dtype: str,
    sequences: Sequence[Response],
    ledger: Ledger,
    score: Callable[[Sequence[Response]], Iterable[SequenceScore]],
) -> list[SequenceScore]:
    """Scores in the order of the sequences; those that `score` had to make are kept."""
    keys = [score_key(prompt, response) for _, _, prompt, response in sequences]
    with ledger.scores(folders.fingerprint(model), dtype) as stored:
        rows = stored.find(keys)
        missing = [s for s, key in zip(sequences, keys, strict=True) if key not in rows]
        ledger.count("scores", reused=len(sequences) - len(missing), made=len(missing))
        made = iter(score(missing) if missing else ())
        scores = []
        for sequence, key in zip(sequences, keys, strict=True):
            if key in rows:
                scores.append(_found(sequence, rows[key]))
            else:
                scores.append(next(made))
                stored.put(ScoreRow(key, scores[-1].reference_logps))
        return scores


def _found(sequence: Response, row: ScoreRow) -> SequenceScore:
    problem_id, sample_index, _, response = sequence
    return SequenceScore(problem_id, sample_index, response, row.reference_logps)
