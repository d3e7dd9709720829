"""The answer conventions of benchmarks, as data: what counts as equal beyond exact equality.

A problem names its benchmark in `Problem.rules`; a problem without one is judged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from rasft.errors import UserError


@dataclass(frozen=True)
class Rules:
    """What a benchmark allows.

    `half_unit` accepts what rounds to the gold's last given decimal place; `relative` is a
    relative tolerance; `ignore_units` compares values whatever units were written;
    `long_decimals` takes a decimal of ten digits or more for the exact value that it gives to
    its last digit; `proportional` takes two equations that differ by a factor of parameters as
    equal; `rename_constant` takes c and C as the same constant of integration.
    """

    name: str
    half_unit: bool = False
    relative: float = 0.0
    ignore_units: bool = False
    proportional: bool = False
    long_decimals: bool = False
    rename_constant: bool = False  # c and C are the same constant of integration


EXACT = Rules("exact")
MINERVA = Rules(
    "minerva",
    half_unit=True,
    relative=1e-4,
    ignore_units=True,
    proportional=True,
    rename_constant=True,
)
MATH500 = Rules("math500", long_decimals=True)
OLYMPIAD = Rules("olympiadbench", ignore_units=True, long_decimals=True)
INTEGER = Rules("aime", ignore_units=True)

RULES = {
    "exact": EXACT,
    "math": EXACT,
    "math500": MATH500,
    "gsm8k": EXACT,
    "minerva": MINERVA,
    "minerva_math": MINERVA,
    "olympiadbench": OLYMPIAD,
    "olympiad": OLYMPIAD,
    "aime": INTEGER,
    "aime24": INTEGER,
    "aime25": INTEGER,
    "amc": INTEGER,
    "amc23": INTEGER,
}


def rules_named(name: str | None) -> Rules:
    """The rules of a benchmark; None means exact. Raises UserError for an unknown name."""
    if name is None or name == "":
        return EXACT
    key = name.lower().replace("-", "_").replace(" ", "_")
    found = RULES.get(key) or RULES.get(key.replace("_", ""))
    if found is None:
        raise UserError(f"unknown rules {name!r}; known: {', '.join(RULES)}")
    return found
