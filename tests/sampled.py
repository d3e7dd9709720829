"""Two problems with three samples: one right and trained on, one wrong, one not judged."""

from rasft.records import Group, Problem, Rollout, Status, Verdict

PROBLEMS = [
    Problem("a", "What is 1 + 1?", "math", "It is \\boxed{2}.", answer="2", source="sums"),
    Problem("b", "What is 2 + 3?", "math", "It is \\boxed{5}.", answer="5", source="sums"),
]
ROLLOUTS = [
    Rollout("a", 0, 11, (5, 6, 2), "So \\boxed{2}", "stop"),
    Rollout("a", 1, 12, (5, 7), "So \\boxed{3", "length"),
    Rollout("b", 0, 13, (8,), "?", "elsewhere"),
]
VERDICTS = [
    Verdict("a", 0, "math", "1", Status.CORRECT, "2"),
    Verdict("a", 1, "math", "1", Status.INCORRECT, "3", detail="3 is not 2"),
    Verdict("b", 0, "math", "1", Status.UNDECIDED, detail="the worker died"),
]
GROUPS = [
    Group("a", "rollout", 2, 2, 0, 1, 1, 0.5, 2.0, 0.3, (0,), (0.02,), ()),
    Group("b", "rollout", 1, 0, 1, 0, 0, None, None, 1.0, (), (), ()),
]
