"""Disjoint train and held-out problems: a problem's own content says which split it is in.

The split is a hash of the family and the numbers, not of the wording or a seed. So train and
held-out are disjoint whatever the seeds, and a held-out problem is never a training problem with
other names in it. By the same hash the held-out problems fall into two parts: what is chosen by
one, such as a learning rate, is judged by the other.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from rasft.data.source import Source
from rasft.errors import UserError
from rasft.generated import Draft, Families
from rasft.records import Problem

Split = Literal["train", "held_out"]
PARTS = ("tuning", "test")  # of the held-out problems
OPTIONS: Mapping[Split, tuple[str, ...]] = {
    "train": ("families", "steps"),
    "held_out": ("families", "part", "steps"),
}

DEFAULT_LIMIT = 1_000  # problems, where the config sets no limit
HELD_OUT_SHARE = 5  # one in so many
PATIENCE = 5_000  # fruitless draws in a row that mean there is nothing new


def problems(name: str, families: Families, split: Split, source: Source) -> Iterator[Problem]:
    """The problems that a source asks for, named after the plugin. Raises UserError."""
    if unknown := sorted(set(source.options) - set(OPTIONS[split])):
        known = ", ".join(OPTIONS[split])
        raise UserError(f"{name}: unknown option {unknown[0]!r}; known: {known}")
    families = _chosen(source.options.get("families"), families, name)
    steps = _step_weights(source.options.get("steps"), families, name)
    drafts = draw(families, split, source.seed, steps)
    if part := source.options.get("part"):
        drafts = _part(part, drafts, name)
    source.places.append(f"generated from the seed {source.seed}")
    limit = DEFAULT_LIMIT if source.limit is None else source.limit
    return (_problem(name, family, draft) for family, draft in islice(drafts, limit))


def held_out_kind(
    name: str, families: Families, source: Source, kind: Mapping[str, object]
) -> Iterator[Problem]:
    """The held-out problems of one kind, the same whatever the run's seed, for a benchmark that has
    no options. Raises UserError where it is given any."""
    if source.options:
        unknown = sorted(source.options)[0]
        raise UserError(f"{name}: unknown option {unknown!r}; it has none")
    return problems(name, families, "held_out", replace(source, seed=0, options=kind))


def draw(
    families: Families, split: Split, seed: int, steps: Mapping[int, float]
) -> Iterator[tuple[str, Draft]]:
    """Distinct drafts of one split with their family's name, until no new one turns up.

    `steps` weighs the problems by number of steps. The same arguments give the same drafts in
    the same order.
    """
    generator = random.Random(f"{seed}/{split}")
    counts, weights = list(steps), list(steps.values())
    seen: set[str] = set()
    fruitless = 0
    while fruitless < PATIENCE:
        (count,) = generator.choices(counts, weights)
        family = generator.choice(families[count])
        draft = family(generator)
        fruitless += 1
        if split_of(family.__name__, draft) == split and draft.prompt not in seen:
            seen.add(draft.prompt)
            fruitless = 0
            yield family.__name__, draft


def split_of(family: str, draft: Draft) -> Split:
    """Which split a draft belongs to."""
    return "held_out" if _digest(family, draft)[0] % HELD_OUT_SHARE == 0 else "train"


def _digest(family: str, draft: Draft) -> bytes:
    return hashlib.sha256(f"{family} {draft.numbers}".encode()).digest()


def _part(
    part: object, drafts: Iterator[tuple[str, Draft]], name: str
) -> Iterator[tuple[str, Draft]]:
    if part not in PARTS:
        raise UserError(f"{name}: option part = {part!r} must be one of: {', '.join(PARTS)}")
    place = PARTS.index(str(part))
    return ((family, draft) for family, draft in drafts if _digest(family, draft)[1] % 2 == place)


def _problem(name: str, family: str, draft: Draft) -> Problem:
    """A draft as a problem; its id is a hash of the prompt, so equal ids mean equal problems."""
    digest = hashlib.sha256(draft.prompt.encode()).hexdigest()
    return Problem(
        id=f"{name}/{family}/{digest[:12]}",
        prompt=draft.prompt,
        verifier="math" if draft.tests is None else "python",
        expert_response=draft.expert_response,
        answer=draft.answer,
        tests=draft.tests,
        entry_point=draft.entry_point,
        source=name,
    )


def _chosen(value: object, families: Families, name: str) -> Families:
    """The families that the option names, by number of steps; all without it."""
    if value is None:
        return families
    known = [each.__name__ for some in families.values() for each in some]
    wanted = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not wanted or not set(wanted) <= set(known):
        raise UserError(
            f"{name}: option families = {value!r} must list some of: {', '.join(known)}"
        )
    kept = {
        steps: [each for each in some if each.__name__ in wanted]
        for steps, some in families.items()
    }
    return {steps: some for steps, some in kept.items() if some}


def _step_weights(value: object, families: Families, name: str) -> dict[int, float]:
    if value is None:
        return dict.fromkeys(families, 1.0)
    pairs = value.items() if isinstance(value, Mapping) else ()
    try:
        weights = {int(key): float(weight) for key, weight in pairs}
    except (TypeError, ValueError):
        weights = {}
    usable = set(weights) <= set(families) and min(weights.values(), default=-1) >= 0
    if not usable or sum(weights.values()) <= 0:
        raise UserError(
            f"{name}: option steps = {value!r} must weigh problems by number of steps, "
            f"like {{1: 2, 2: 1}}; known numbers of steps: {', '.join(map(str, families))}"
        )
    return weights
