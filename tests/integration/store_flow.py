"""A flow of the project's own base with seeded tables in place of models: its store is what counts.

ROWS (a parameter) sizes each shard's table; a row holds 1 kB that does not compress. SCRATCH sizes
what the first step writes into its work folder, in kB.
"""

import bootstrap  # noqa: F401 isort: skip
import numpy as np
import pyarrow as pa
from metaflow import Parameter, step

from flows.base import BaseFlow, EveryStep
from rasft import tables


@EveryStep
class StoreFlow(BaseFlow):
    """start -> shard* -> join -> end."""

    rows = Parameter("rows", type=int, default=10)
    scratch = Parameter("scratch", type=int, default=0)

    @step
    def start(self):
        """Three shards."""
        with self.work_folder() as folder:
            (folder / "scratch").write_bytes(bytes(1024 * self.scratch))
        self.shards = [0, 1, 2]
        self.next(self.shard, foreach="shards")

    @step
    def shard(self):
        """A table that depends on the shard alone."""
        noise = np.random.default_rng(self.input)
        values = [noise.bytes(1024) for _ in range(self.rows)]
        keys = [f"{self.input}/{n}" for n in range(self.rows)]
        self.table = pa.table({"key": keys, "value": values})
        self.next(self.join)

    @step
    def join(self, inputs):
        """All rows."""
        self.table = tables.concat(branch.table for branch in inputs)
        self.next(self.end)

    @step
    def end(self):
        """Say what is there: each key once."""
        keys = self.table["key"].to_pylist()
        print(f"{len(keys)} rows, {len(set(keys))} keys")


if __name__ == "__main__":
    StoreFlow()
