"""The training loop: rows to batches, batches to steps, the schedule and the log."""
