"""Programs that read standard input and print: one fresh process for each input.

The parent has compiled the program and executed none of it. It learns one input at a time and
never an expected output, so a program that attacks it learns nothing it was not given.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from types import CodeType, ModuleType
from typing import Any

MAX_OUTPUT_BYTES = 8 << 20
_OUT_OF_MEMORY = 99  # the exit code by which a child says that memory ran out


def run(code: CodeType | None, text: str) -> list[Any]:
    """Run the program once on `text`; return ["ok", what it printed] or ["raise", why, detail]."""
    given = os.memfd_create("stdin")
    os.write(given, text.encode())
    os.lseek(given, 0, os.SEEK_SET)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_program(code, given, writing)
    os.close(writing)
    os.close(given)
    output = _read_all(reading)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    return _report(status, output)


def _report(status: int, output: bytes | None) -> list[Any]:
    code = os.waitstatus_to_exitcode(status)
    if output is None:
        return ["raise", "SystemExit", f"it printed more than {MAX_OUTPUT_BYTES >> 20} MB"]
    if code == _OUT_OF_MEMORY:
        return ["raise", "MemoryError", ""]
    if code != 0:
        how = f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
        return ["raise", "SystemExit", how]
    return ["ok", output.decode("utf-8", "replace")]


def _read_all(descriptor: int) -> bytes | None:
    parts, size = [], 0
    while part := os.read(descriptor, 1 << 16):
        size += len(part)
        if size > MAX_OUTPUT_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _become_program(code: CodeType | None, given: int, writing: int) -> None:
    status = 1
    try:
        os.dup2(given, 0)
        os.dup2(writing, 1)
        os.closerange(3, 64)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  (open as long as the program runs)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        status = _execute(code)
        sys.stdout.flush()
    finally:
        os._exit(status)


def _wait_for_threads() -> None:
    # not imported here: with it every fork would run the module's hook, a quarter of a fork's time
    threading = sys.modules.get("threading")
    if threading is None:
        return
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()


def _execute(code: Any) -> int:
    """Execute as the interpreter would a script: threads are waited for, exit codes kept."""
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    status = 0
    try:
        exec(code, module.__dict__)
        _wait_for_threads()
    except SystemExit as error:
        status = error.code if type(error.code) is int else int(error.code is not None)
    except MemoryError:
        status = _OUT_OF_MEMORY
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    return status & 0xFF
