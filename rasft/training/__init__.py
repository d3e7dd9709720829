"""One training: what is trained, the program that trains it, and what it leaves behind.

`jobs` lays a job out as a folder, `launcher` starts `program` on it with Accelerate, `trainer` is
the only loop body for every method, over `batching` (rows to tensors), `forward` (tensors to
log-probs) and the loss plugins; `loop` runs it. `checkpoints` keeps the state, `saving` hands on
the model, `preflight` checks beforehand what a training relies on.
"""
