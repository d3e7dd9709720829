"""Units of measure: what a trailing word means, so that equal amounts compare as equal.

A unit that is not in the table ("students", "distinct integers") says nothing and is ignored; two
known units must measure the same thing, and their factors count.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_TABLE: dict[str, tuple[str, Fraction]] = {}


def _define(dimension: str, **names: str) -> None:
    for factor, spelled in names.items():
        for name in spelled.split():
            _TABLE[name] = (dimension, Fraction(factor.lstrip("x").replace("_", "/")))


_define("money", x1="dollar usd $ dollars buck", x1_100="cent ¢")
_define(
    "length",
    x1="m meter metre",
    x1000="km kilometer kilometre",
    x1_100="cm centimeter",
    x1_1000="mm millimeter",
    x1_1000000000="nm nanometer",
    x1_1000000="micron",
)
_define(
    "length",
    x127_5000="in inch inche",
    x381_1250="ft foot feet",
    x1143_1250="yd yard",
    x201168_125="mi mile",
)
_define(
    "time",
    x1="s sec second",
    x60="min minute",
    x3600="h hr hour",
    x86400="day",
    x604800="week",
    x1_1000="ms millisecond",
)
_define("mass", x1="g gram gm", x1000="kg kilogram", x1_1000="mg milligram")
_define("pound", x1="pound lb", x1_16="ounce oz")
_define("volume", x1="liter litre l", x1_1000="ml milliliter")
_define("gallon", x1="gallon gal", x1_4="quart", x1_8="pint")
_define("angle", x1="degree deg")
_define("share", x1="% percent")
_define("energy", x1="j joule", x1000="kj", x1_10000000="erg")
_define("force", x1="n newton")
_define("power", x1="w watt", x1000="kw")
_define("pressure", x1="pa pascal", x1000="kpa")
_define("frequency", x1="hz hertz", x1000="khz", x1000000="mhz")
_define("temperature", x1="k kelvin")
_define("electronvolt", x1="ev", x1000="kev", x1000000="mev")
_define("euro", x1="euro €")
_define("amount", x1="mol mole")
_define("charge", x1="c coulomb")
_define("voltage", x1="v volt")

LETTERS = frozenset(["m", "s", "g", "h", "N", "J", "K", "W", "V", "A", "C", "L", "T", "F"])
NAMES = frozenset(name for name in _TABLE if len(name) > 1) | {
    "mph", "inches", "yards", "miles", "sq", "unit", "units", "square", "cubic", "angstrom", "atm",
    "per", "Hz", "kHz", "MHz", "kJ", "kW", "MeV", "eV", "keV", "GeV", "Pa", "kPa", "mL", "mol",
    "rad", "radians", "AU", "pc", "Mpc", "kpc", "yr", "year", "years", "USD", "nm", "Wb", "dB",
}  # fmt: skip


def is_unit_word(word: str) -> bool:
    """Whether a bare run of two or more letters is a unit rather than a product of variables."""
    return word in NAMES or (len(word) > 3 and word.rstrip("s") in NAMES)


@lru_cache(maxsize=2_048)
def measure(unit: str) -> tuple[tuple[tuple[str, int], ...], Fraction] | None:
    """(dimension with powers, factor to the dimension's base unit), or None when not known.

    >>> measure("square inches") == measure("in^2"), measure("students")
    (True, None)
    """
    text = unit.lower().replace("mph", "mile per hour").replace("sq.", "square")
    text = re.sub(r"[{}\s.]+", " ", text).replace("**", "^").strip()
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for sign, group in _groups(text):
        for name, power in _named_powers(group):
            known = _TABLE.get(name) or _TABLE.get(name.rstrip("s"))
            if known is None:
                return None
            powers[known[0]] = powers.get(known[0], 0) + sign * power
            factor *= known[1] ** (sign * power)
    return (tuple(sorted(powers.items())), factor) if powers else None


def _groups(text: str) -> list[tuple[int, str]]:
    parts = re.split(r"/| per ", text)
    return [(1 if index == 0 else -1, part) for index, part in enumerate(parts)]


def _named_powers(group: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    pending = 1
    for word, exponent in re.findall(r"([a-z%$€¢]+)\s*(?:\^?\s*(-?\d))?", group):
        if word in ("square", "sq", "cubic", "cu"):
            pending = 2 if word.startswith("s") else 3
            continue
        if word in ("squared", "cubed") and found:
            found[-1] = (found[-1][0], 2 if word == "squared" else 3)
            continue
        found.append((word, int(exponent or pending)))
        pending = 1
    return found
