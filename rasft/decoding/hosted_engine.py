"""An engine that outlives its processes: opened again when one hangs, dies or runs out of memory.

Only the samples that are missing are asked for again: what came is kept, and as each sample has a
seed of its own it comes out as it would have. Out of memory walks down the plugin's ladder
(`memory_ladder`). New weights are swapped in place, and a fixed greedy probe must then agree with
the checkpoint's own (`probe`); if it does not, or they do not fit, the engine is opened anew.
`notes` tells of everything that was not as it should be, `choices` of what was chosen here.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Self

from rasft.config.settings import EngineWatchConfig
from rasft.decoding import memory_ladder, probe
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling
from rasft.decoding.engine_process import EngineDown, EngineProcess
from rasft.errors import MachineError, UserError


class HostedEngine:
    """The plugin's engine over a model folder, in a process that is replaced when it fails."""

    def __init__(
        self,
        plugin: Any,
        model: str,
        options: EngineOptions,
        watch: EngineWatchConfig,
        environment: Mapping[str, str] = MappingProxyType({}),
    ):
        """`environment` is added to that of the process."""
        self.plugin = plugin
        self.model = model
        self.options = options
        self.watch = watch
        self.environment = environment
        self.notes: list[str] = []
        self._asked = options.max_sequences
        self._rungs = list(plugin.MEMORY_RUNGS)
        self._restarts = 0
        self._killed = False
        self._process: EngineProcess | None = None

    def __enter__(self) -> Self:
        self._running()
        return self

    def __exit__(self, *error: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill() if any(error) else process.close()

    @property
    def choices(self) -> list[str]:
        """How it was opened, where the options left that to it."""
        chosen = self.options.max_sequences
        return [] if chosen == self._asked else [f"max_sequences {chosen}"]

    @property
    def process_id(self) -> int:
        """The running engine's process, which is also its process group."""
        return self._running().process_id

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Generator[tuple[int, Completion], None, None]:
        """Yield (index of the request, its completion), each index once, whatever breaks.

        Raises UserError for a request that cannot be answered, and MachineError when the restarts
        or the rungs are used up.
        """
        missing = dict(enumerate(requests))
        while missing:
            places = list(missing)
            try:
                with closing(self._draw(list(missing.values()), sampling)) as drawn:
                    for index, completion in drawn:
                        missing.pop(places[index], None)
                        yield places[index], completion
                self._check_whole(missing)
            except EngineDown as down:
                self._recover(down)

    def reload(self, model: str) -> None:
        """Sample from another folder's weights from now on."""
        self.model = model
        process = self._running()
        try:
            process.reload(model)
            self._probe(process)
        except (EngineDown, UserError) as error:
            self._process = None
            self.notes.append(f"opened anew for {model}: {error}")
            process.kill()
            self._running()

    def _draw(
        self, requests: list[Request], sampling: Sampling
    ) -> Generator[tuple[int, Completion], None, None]:
        """As the process does; one that was left early, or failed, is not used again."""
        process = self._running()
        self._process = None
        yield from process.generate(requests, sampling)
        self._process = process

    def _check_whole(self, missing: dict[int, Request]) -> None:
        if missing:
            raise MachineError(f"the engine ended with {len(missing)} samples missing")

    def _check_adapters(self, process: EngineProcess) -> None:
        """Raises EngineDown if base and adapters do not write what the merged model would."""
        if self.options.base in (None, self.model):
            return
        try:
            self._probe(process)
        except EngineDown:
            process.kill()
            raise

    def _probe(self, process: EngineProcess) -> None:
        """Raises EngineDown if the engine does not write what the checkpoint would."""
        ((_, written),) = process.generate([probe.REQUEST], probe.GREEDY)
        if not probe.agrees(self.model, written.token_ids, self.options.dtype):
            raise EngineDown("the greedy probe is not the checkpoint's own")

    def _running(self) -> EngineProcess:
        """The process, opened if there is none. Raises UserError and MachineError."""
        while self._process is None:
            try:
                self._process = EngineProcess(
                    self.plugin.NAME, self.model, self.options, self.watch, self.environment
                )
                chosen = self._process.max_sequences
                self.options = replace(self.options, max_sequences=chosen)
                self._check_adapters(self._process)
            except EngineDown as down:
                self._recover(down)
        return self._process

    def _recover(self, down: EngineDown) -> None:
        """Note the failure and get ready for another process, or give up with MachineError."""
        self._process = None
        name = self.plugin.NAME
        # A process killed without a word twice in a row was killed by the kernel for its memory.
        short = down.memory or (down.killed and self._killed)
        self._killed = down.killed
        if short:
            if not self._rungs:
                raise MachineError(
                    f"the engine {name} ran out of memory with the least it can do with ({down}); "
                    "lower rollout.max_sequences or max_new_tokens, or take a larger machine"
                ) from down
            self.options, changed = memory_ladder.climb_down(self.options, self._rungs.pop(0))
            self.notes.append(f"out of memory ({down}): {changed}")
            return
        self._restarts += 1
        if self._restarts > self.watch.restarts:
            raise MachineError(
                f"the engine {name} failed {self._restarts} times, the last time so: {down}; "
                "its own messages are above"
            ) from down
        self.notes.append(f"restarted: {down}")
