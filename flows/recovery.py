"""What a run does about a step that failed for good: where the config tolerates it, it goes on.

`@catch` stands only where a tolerance is set: a caught task counts as finished, so `resume` would
not make it again. Without a tolerance the failed shard ends the run, and `resume` makes it alone.
"""

from metaflow import catch

from rasft.stages.shards import LostShard, check_tolerance, last_line

# The artifacts that hold what was caught, by step; None where the step succeeded.
FAILURES = {step: f"{step}_failure" for step in ("rollout", "verify", "evaluate")}
# What a join must not merge: it differs between the branches, and the lost shards tell it.
UNMERGED = ["_catch_exception", *FAILURES.values()]


def tolerated(step_name, config):
    """How many branches of a step the run may lose, and the config's key for it."""
    if step_name == "evaluate":
        key = "evaluation.max_failed_benchmarks"
        return config.evaluation.max_failed_benchmarks, key
    return config.rollout.max_failed_shards, "rollout.max_failed_shards"


def survive(step_name, step, config):
    """Add @catch to a step whose loss the config tolerates."""
    if step_name in FAILURES and tolerated(step_name, config)[0]:
        caught = {"var": FAILURES[step_name], "print_exception": True}
        step.add_decorator(catch, deco_kwargs=caught)


def is_lost(branch):
    """Whether an earlier step of this branch failed for good."""
    return _failure(branch) is not None


def whole_and_lost(inputs, step_name, config):
    """The branches with results, and the others by name.

    Raises MachineError if more were lost than the config tolerates.
    """
    whole = [branch for branch in inputs if not is_lost(branch)]
    lost = [
        LostShard(_failure(branch)[0], str(branch.input), _failure(branch)[1])
        for branch in inputs
        if is_lost(branch)
    ]
    check_tolerance(lost, len(whole) + len(lost), *tolerated(step_name, config))
    return whole, lost


def _failure(branch):
    """(step, reason) of what failed first in a branch, or None."""
    for step_name, artifact in FAILURES.items():
        failure = getattr(branch, artifact, None)
        if failure is not None:
            return step_name, last_line(failure)
    return None
