"""The notes below a result table: what is real, how it was made, what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rasft.results import outcomes
from rasft.results.cells import JUDGED, Cell, Failure
from rasft.results.comparison import Interval
from rasft.results.outcomes import Outcomes
from rasft.results.statistics import FEWEST_PROBLEMS

# What all manifests of one benchmark should have in common; how it was sampled is told apart.
LIKE = ("engine", "dtype", "verifiers")


def metric(name: str, level: str, seeds: Sequence[int]) -> str:
    """What a figure is; `seeds` are the numbers of seeds behind figures."""
    over = " and seeds." if list(seeds) != [1] else " alone: one seed says nothing of seeds."
    return f"{name} in percent, with a {level} interval over problems{over}"


def verdict(differences: Sequence[Interval], level: str) -> list[str]:
    """Which differences are real, and in which sense; nothing where there is none to tell of."""
    if not differences:
        return []
    return [
        _real(differences),
        f"Differences are paired by problem and seed; the {level} holds for all of them at once "
        "(max-t over the family). Bold: ahead of every other row of the column in the same sense.",
    ]


def _real(differences: Sequence[Interval]) -> str:
    real = [i for i in differences if i.is_real and i.problems >= FEWEST_PROBLEMS]
    if not real:
        return f"None of the {len(differences)} differences is beyond noise."
    said = [
        f"{i.contrast.row} {'above' if i.mean > 0 else 'below'} {i.contrast.against} on "
        f"{i.contrast.column} ({100 * i.mean:+.1f})"
        for i in real
    ]
    return f"Beyond noise are {len(real)} of {len(differences)} differences: {'; '.join(said)}."


def of_cells(
    found: Sequence[Cell], failed: Sequence[Failure], made_of: Sequence[Outcomes]
) -> list[str]:
    """What failed, what engines said, what was cut short, how each benchmark was sampled."""
    return [
        *(f"{f.row}, seed {f.seed} ({f.run}) failed: {f.message}" for f in failed),
        *(
            f"{cell.benchmark}, {cell.row}, seed {cell.seed}: {note}"
            for cell in found
            for note in cell.source.manifest.get("engine_notes", ())  # older runs have none
        ),
        *(f"{outcomes.warning(each)}." for each in made_of if each.is_cut_short),
        *_protocols(found),
        *_unlike(found),
    ]


def _protocols(found: Sequence[Cell]) -> list[str]:
    """How each benchmark was sampled; by row where rows differ."""
    notes = []
    for benchmark in dict.fromkeys(cell.benchmark for cell in found):
        by_way: dict[str, list[str]] = {}
        for cell in found:
            if cell.benchmark == benchmark:
                by_way.setdefault(_protocol(cell.source.manifest), []).append(cell.row)
        notes += [
            f"{benchmark}{_named(rows) if len(by_way) > 1 else ''}: {way}."
            for way, rows in by_way.items()
        ]
    return notes


def _named(rows: Sequence[str]) -> str:
    return f" ({', '.join(dict.fromkeys(rows))})"


def _protocol(manifest: Mapping[str, Any]) -> str:
    sampling, samples = manifest["sampling"], manifest["samples"]
    drawn = "greedy" if sampling["temperature"] == 0 else (
        f"temperature {sampling['temperature']:g}, top-p {sampling['top_p']:g}"
    )  # fmt: skip
    way = f"{samples} sample{'s' if samples > 1 else ''} a problem, {drawn}, " \
          f"at most {sampling['max_new_tokens']} new tokens"  # fmt: skip
    name = manifest.get("protocol")  # older runs have none
    return f"{way} (protocol {name})" if name else way


def _unlike(found: Sequence[Cell]) -> list[str]:
    """What the manifests of one benchmark differ in and should not; each model has a template."""
    notes = []
    for benchmark in dict.fromkeys(cell.benchmark for cell in found):
        cells = [cell for cell in found if cell.benchmark == benchmark]
        alike = all(cell.results[0].checkpoint != JUDGED for cell in cells)
        for key in (*LIKE, *(["template_fingerprint"] if alike else [])):
            values = {str(cell.source.manifest[key]) for cell in cells}
            if len(values) > 1:
                notes.append(f"{benchmark}: {key} differs: {' / '.join(sorted(values))}.")
    return notes
