"""What the loss counts: the response up to its end, nothing of the prompt, no answer cut off."""

from __future__ import annotations

from collections.abc import Collection

from rasft.data import lengths
from rasft.training.model.batching import collate
from rasft.training.preflight.checks import Check
from rasft.training.storage.example_store import ExampleStore

MOST_ROWS = 1000  # whose labels are looked at


def labels_are_right(store: ExampleStore, stop_token_ids: Collection[int]) -> Check:
    """The supervised tokens are the response's, and each response ends with a stop token.

    A response without one was cut off: such rows are dropped and counted where the examples are
    made, so one that is still here would teach the policy never to stop.
    """
    examples = store.take(range(0, len(store), max(1, len(store) // MOST_ROWS)))
    labels = [collate([example]).target_N.tolist() for example in examples]
    wrong = sum(
        supervised != list(example.input_ids[example.prompt_tokens :])
        for supervised, example in zip(labels, examples, strict=True)
    )
    cut = sum(supervised[-1] not in stop_token_ids for supervised in labels)
    return Check(
        "the response and its end are supervised, the prompt is not",
        not wrong and not cut,
        f"{len(examples)} rows; {wrong} supervise other tokens, {cut} are cut off before their end",
        {"rows": len(examples), "wrong": wrong, "cut_off": cut},
    )


def lengths_of(store: ExampleStore, max_tokens: int) -> Check:
    """All rows fit whole into `data.max_tokens`: none is ever shortened."""
    histogram = lengths.histogram(store.lengths, max_tokens)
    over = int((store.lengths > max_tokens).sum())
    shown = ", ".join(f"{name}: {count}" for name, count in histogram.items() if count)
    return Check(
        "every row fits whole",
        not over,
        f"{len(store)} rows, {over} over {max_tokens} tokens; by length {shown}",
        {"rows": len(store), "over": over, "histogram": histogram},
    )
