"""Checks on the real rows and the real model before a long training: what it relies on, measured.

`rendering` says how prompts are written, `labels` looks at what is supervised, `reading` at how the
model sees a row, `gradients` at whether the gradient depends on how a step is cut up, `agreement`
at whether scorer, engine, disk and trainer see one model; `job_checks` makes them all but the
first. All in fp32 on a few rows spread over the lengths; none raises because a check failed.
"""
