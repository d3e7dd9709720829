"""The inside of an engine's process: open the engine, then sample what comes in over a pipe.

Run as `python -m rasft.decoding.engine_host NAME MODEL OPTIONS`; `engine_process` is the parent.
A thread tells the parent every second how many steps the engine has made: a beat whose number
stands still is how a hung engine shows. When the parent is gone the whole process group ends.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from dataclasses import astuple
from typing import Any, NoReturn

from rasft import plugins
from rasft.decoding.engine import EngineOptions, PluginEngine, Request, Sampling
from rasft.errors import UserError
from rasft.workers.process import LENGTH

BEAT_SECONDS = 1.0
READY, BEAT, SAMPLE, DONE, FAILED = "ready", "beat", "sample", "done", "failed"
GENERATE, RELOAD, CLOSE = "generate", "reload", "close"
USER, MEMORY, MACHINE = "user", "memory", "machine"  # whose failure
# How the libraries say it; only what follows the word of an error is read.
MEMORY_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "memoryerror",
    "no available memory for the cache blocks",
    "desired gpu memory utilization",
    "larger than the available kv cache memory",
)


class Channel:
    """Messages to the parent, from any thread."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # a stray print must not corrupt the messages
        self._lock = threading.Lock()

    def send(self, *message: Any) -> None:
        """Send one message. A parent that is gone ends this process."""
        body = json.dumps(message).encode()
        with self._lock:
            self._pipe.write(LENGTH.pack(len(body)) + body)
            self._pipe.flush()


def is_out_of_memory(text: str) -> bool:
    """Whether an error's own words say that memory ran out.

    >>> is_out_of_memory("CUDA out of memory. Tried to allocate 2.00 GiB")
    True
    """
    return any(sign in text.lower() for sign in MEMORY_SIGNS)


def _serve(engine: PluginEngine, orders: queue.SimpleQueue[list[Any]], channel: Channel) -> None:
    """Obey orders until the one to close."""
    threading.Thread(target=_beat, args=(engine, channel), daemon=True).start()
    channel.send(READY, engine.max_sequences)
    while (order := orders.get())[0] != CLOSE:
        if order[0] == RELOAD:
            engine.reload(order[1])
        else:
            _generate(engine, *order[1:], channel=channel)
        channel.send(DONE)


def _generate(
    engine: PluginEngine, asked: list[list[Any]], settings: dict[str, Any], *, channel: Channel
) -> None:
    requests = [Request(tuple(prompt), seed, logps) for prompt, seed, logps in asked]
    for index, completion in engine.generate(requests, Sampling(**settings)):
        channel.send(SAMPLE, index, *astuple(completion))


def _beat(engine: PluginEngine, channel: Channel) -> None:
    while True:
        channel.send(BEAT, engine.steps)
        threading.Event().wait(BEAT_SECONDS)


def _listen(orders: queue.SimpleQueue[list[Any]]) -> None:
    """Read orders; a pipe that ends without CLOSE means that the parent died."""
    pipe = os.fdopen(os.dup(0), "rb")
    while header := pipe.read(LENGTH.size):
        order = json.loads(pipe.read(LENGTH.unpack(header)[0]))
        orders.put(order)
        if order[0] == CLOSE:
            return
    os.killpg(os.getpid(), signal.SIGKILL)


def _explain(error: BaseException) -> tuple[str, str]:
    """(whose failure, one line) of what the engine raised."""
    text = str(error).strip() or repr(error)
    if isinstance(error, UserError):
        return USER, text
    words = f"{type(error).__name__}: {text.splitlines()[0]}"
    return (MEMORY if is_out_of_memory(f"{type(error).__name__} {text}") else MACHINE), words


def _fail(error: Exception, channel: Channel) -> NoReturn:
    """Say what happened and leave at once: a broken engine may hang in its own clean-up."""
    whose, words = _explain(error)
    if whose != USER:
        traceback.print_exc()
    channel.send(FAILED, whose, words)
    sys.stderr.flush()
    os._exit(1)


def _main() -> None:
    name, model, options = sys.argv[1:]
    values = json.loads(options)
    values["stop_token_ids"] = tuple(values["stop_token_ids"])
    orders: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    channel = Channel()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    try:
        plugin = plugins.load("engines", name)
        with plugin.open_engine(model, EngineOptions(**values)) as engine:
            _serve(engine, orders, channel)
    except BrokenPipeError:
        os.killpg(os.getpid(), signal.SIGKILL)
    except Exception as error:  # whatever it is, the parent gets to know
        _fail(error, channel)


if __name__ == "__main__":
    _main()
