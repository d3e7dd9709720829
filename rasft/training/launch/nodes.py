"""The machines of one training, as each of them knows itself.

Every node lays out the same job on its own disk and starts its processes; together they are one
training. The first node alone saves checkpoints and the model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
# Below the ports that Linux hands out by itself, above those of well-known services.
PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Node:
    """One of `count` machines, and where the first one listens."""

    rank: int = 0
    count: int = 1
    address: str = LOOPBACK
    port: int = 0

    @property
    def sharers(self) -> int:
        """How many nodes share this machine: all, where they meet on it."""
        return self.count if self.address == LOOPBACK else 1

    @property
    def is_first(self) -> bool:
        """Whether it saves what comes of the training."""
        return self.rank == 0


ONE_NODE = Node()


def port_of(name: str) -> int:
    """A port that all nodes know without asking; another name (a second try) gives another."""
    digest = hashlib.sha256(name.encode()).digest()
    return PORTS[int.from_bytes(digest[:8], "big") % len(PORTS)]
