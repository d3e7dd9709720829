"""What a process and all below it use, seen every 50 ms."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil


class Memory(threading.Thread):
    """Watches the resident memory of this process and all below it, MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process()
        self.cpu: dict[int, float] = {}  # seconds by process id
        self.idle = self.peak = self.now()

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.05)

    def now(self) -> float:
        """The sum at this moment; a process that has just ended counts nothing."""
        total = 0
        for each in (self.process, *self.process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
                self.cpu[each.pid] = sum(each.cpu_times()[:2])
        return total / 1e6
