"""Several engines over the same requests, each on devices of its own.

The requests lie in pieces from which each engine takes the next one, so none waits for another.
Neighbours stay together, since samples of one prompt share its keys. An engine that has failed for
good leaves what it lacks to the others. Whichever engine draws a sample, its seed is its own.
"""

from __future__ import annotations

import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Self

from rasft.config.settings import EngineWatchConfig
from rasft.decoding import layout
from rasft.decoding.engine import SIDE_BY_SIDE, Completion, EngineOptions, Request, Sampling
from rasft.decoding.hosted_engine import HostedEngine
from rasft.errors import MachineError

PIECES = 4  # for each engine: with fewer some idle at the end, with more each drains more often
FILLED = 2  # times what an engine samples side by side: a smaller piece would leave it half empty

Indexed = tuple[int, Request]


@dataclass
class Work:
    """What is left to sample, and what has come of it."""

    pieces: deque[Sequence[Indexed]]
    arrived: queue.SimpleQueue[tuple[int, Completion] | None] = field(
        default_factory=queue.SimpleQueue
    )  # None: one engine has ended
    leave: threading.Event = field(default_factory=threading.Event)


class EngineGroup:
    """Engines of one plugin over one model folder, used as one engine."""

    def __init__(self, plugin: Any, model: str, options: EngineOptions, watch: EngineWatchConfig):
        self.model = model
        alone = replace(options, data_parallel=1)
        self._all = [
            HostedEngine(plugin, model, alone, watch, environment)
            for environment in layout.environments(options)
        ]
        self._living = list(self._all)
        self._lost: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._each(HostedEngine.__enter__)
        except BaseException as error:
            self.__exit__(error)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        with ThreadPoolExecutor(len(self._all)) as pool:
            list(pool.map(lambda engine: engine.__exit__(*error), self._all))

    @property
    def notes(self) -> list[str]:
        """What was not as it should be, of all engines."""
        return self._lost + self._told([engine.notes for engine in self._all])

    @property
    def choices(self) -> list[str]:
        """How the engines were opened; of engines that are alike once."""
        return list(dict.fromkeys(choice for engine in self._all for choice in engine.choices))

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (index of the request, its completion), each index once.

        Raises UserError for a request that cannot be answered, and MachineError when all engines
        have failed for good.
        """
        missing = dict(enumerate(requests))
        while missing:
            with closing(self._draw(list(missing.items()), sampling)) as drawn:
                for index, completion in drawn:
                    missing.pop(index, None)
                    yield index, completion

    def reload(self, model: str) -> None:
        """Sample from another folder's weights from now on."""
        self.model = model
        self._each(lambda engine: engine.reload(model))

    def _draw(
        self, requests: list[Indexed], sampling: Sampling
    ) -> Generator[tuple[int, Completion], None, None]:
        """What the living engines make of the requests; one that fails for good is left out."""
        engines = list(self._living)
        at_once = engines[0].options.max_sequences or SIDE_BY_SIDE
        work = Work(pieces(requests, len(engines), at_once))
        with ThreadPoolExecutor(len(engines)) as pool:
            serving = [pool.submit(_serve, engine, work, sampling) for engine in engines]
            try:
                for _ in engines:
                    while (pair := work.arrived.get()) is not None:
                        yield pair
            finally:
                work.leave.set()
        self._settle(engines, serving)

    def _each(self, act: Callable[[HostedEngine], object]) -> None:
        """Do it with all living engines at once."""
        engines = list(self._living)
        with ThreadPoolExecutor(len(engines)) as pool:
            acting = [pool.submit(act, engine) for engine in engines]
        self._settle(engines, acting)

    def _settle(self, engines: Sequence[HostedEngine], ended: Sequence[Future[Any]]) -> None:
        """Go on without the engines that failed for good. Raises if it was the last, or is not."""
        for engine, future in zip(engines, ended, strict=True):
            error = future.exception()
            if error is None:
                continue
            if not isinstance(error, MachineError) or self._living == [engine]:
                raise error
            self._living.remove(engine)
            self._lost.append(f"an engine was given up: {error}")

    def _told(self, notes: Sequence[Sequence[str]]) -> list[str]:
        return [
            f"engine {number} of {len(notes)}: {note}"
            for number, own in enumerate(notes, start=1)
            for note in own
        ]


def pieces(requests: Sequence[Indexed], engines: int, at_once: int) -> deque[Sequence[Indexed]]:
    """The requests in order, cut into what an engine takes at a time.

    >>> [len(piece) for piece in pieces([(i, None) for i in range(20)], 2, at_once=4)]
    [8, 8, 4]
    """
    size = max(math.ceil(len(requests) / (engines * PIECES)), FILLED * at_once)
    size = min(size, math.ceil(len(requests) / engines))
    return deque(requests[start : start + size] for start in range(0, len(requests), size))


def _serve(engine: HostedEngine, work: Work, sampling: Sampling) -> None:
    """Sample piece after piece; an error that is not the machine's ends the others' work too."""
    try:
        while work.pieces and not work.leave.is_set():
            _sample(engine, work.pieces.popleft(), work, sampling)
    except IndexError:
        return  # another engine took the last piece
    except MachineError:
        raise
    except BaseException:
        work.leave.set()
        raise
    finally:
        work.arrived.put(None)


def _sample(engine: HostedEngine, piece: Sequence[Indexed], work: Work, sampling: Sampling) -> None:
    with closing(engine.generate([request for _, request in piece], sampling)) as drawn:
        for place, completion in drawn:
            work.arrived.put((piece[place][0], completion))
            if work.leave.is_set():
                return
