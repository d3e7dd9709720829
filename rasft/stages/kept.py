"""What several evaluations share, so that each is spared the start: an engine, and verifiers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from rasft import plugins
from rasft.config.verification import VerificationConfig
from rasft.decoding.one_engine import OneEngine
from rasft.verifiers import Verifier


def build(name: str, settings: VerificationConfig) -> Any:
    """The verifier, not started."""
    return plugins.load("verifiers", name).build(settings_of(name, settings))


def settings_of(name: str, settings: VerificationConfig) -> dict[str, Any]:
    """The settings of a verifier by its name; none for one that has none."""
    own = getattr(settings, name, None)
    return own.model_dump() if own else {}


class KeptVerifiers:
    """Each verifier is started on first need and ends with this, or when work with it fails."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[ExitStack, Verifier]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as ends:
            for started, _ in self._open.values():
                ends.push(started)
            self._open = {}

    @contextmanager
    def use(self, name: str, settings: VerificationConfig) -> Iterator[Verifier]:
        """The started verifier."""
        key = f"{name} {settings_of(name, settings)}"
        if key not in self._open:
            started = ExitStack()
            self._open[key] = started, started.enter_context(build(name, settings))
        try:
            yield self._open[key][1]
        except BaseException:
            self._open.pop(key)[0].close()
            raise


class Kept:
    """A context manager: what is started in it ends with it."""

    def __init__(self) -> None:
        self.engine, self.verifiers = OneEngine(), KeptVerifiers()
        self._all = ExitStack()

    def __enter__(self) -> Self:
        self._all.enter_context(self.engine)
        self._all.enter_context(self.verifiers)
        return self

    def __exit__(self, *error: Any) -> None:
        self._all.__exit__(*error)
