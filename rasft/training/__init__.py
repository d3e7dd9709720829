"""One training: what is trained, the program that trains it, and what it leaves behind.

`model` is the forward pass, from tensors to log-probabilities; `loop` the one loop body of every
supervised method, over the loss plugins; `storage` the folder of a job with its checkpoints;
`launch` starts the program with Accelerate; `preflight` checks beforehand what a training relies
on; `reinforcement` is TRL's. `scoring` gives the reference's log-probabilities.
"""
