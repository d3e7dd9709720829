"""The records that cross a boundary. Each is a frozen dataclass stored as Arrow rows.

Field names carry their units; `tables` derives the Arrow schema from the annotations, so only
`str`, `int`, `float`, `bool`, `X | None` and `tuple[X, ...]` may appear here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EXPERT = -1  # the sample_index of a problem's expert response; further ones have -2, -3, ...
NO_VERIFIER = "none"  # the verifier of a row whose answer cannot be checked


class Status(StrEnum):
    """What a verifier says of one response.

    >>> Status("timed_out").is_decided, Status.UNDECIDED.is_decided
    (True, False)
    """

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"
    MALFORMED = "malformed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    UNDECIDED = "undecided"

    @property
    def is_decided(self) -> bool:
        """False only for the machine's own failure, which never counts as a wrong answer."""
        return self is not Status.UNDECIDED


@dataclass(frozen=True)
class Problem:
    """A prompt, an expert response and what verifies an answer.

    >>> Problem(id="p1", prompt="What is 2 + 3?", expert_response="2 + 3 = \\\\boxed{5}",
    ...         verifier="math", answer="5").answer
    '5'
    """

    id: str
    prompt: str  # the user's message, before any chat template
    verifier: str  # plugin name: "math", "python", "choice", "none", ...
    expert_response: str | None = None  # None only for evaluation problems
    # math, exact: the gold answer; choice: the letter of the right one; regex: a pattern
    answer: str | None = None
    rules: str | None = None  # math: the benchmark whose answer conventions hold
    tolerance: float | None = None  # math: absolute tolerance stated by the benchmark
    tests: str | None = None  # python: test source
    entry_point: str | None = None  # python: the function under test
    setup: str | None = None  # python: source that the tests need, run before them
    code_prefix: str | None = None  # python: source that a completion-style answer continues
    source: str = ""  # the dataset or benchmark that the problem came from
    choices: tuple[str, ...] = ()  # choice: what A, B, C, ... stand for
    cpu_seconds: float | None = None  # python: where the tests need more than the setting
    memory_mb: int | None = None  # python: as cpu_seconds
    system: str | None = None  # in place of the system text of its verifier's prompt
    experts: tuple[str, ...] = ()  # further expert responses, beside the first

    @property
    def expert(self) -> str:
        """The expert response of a training problem. Raises ValueError where there is none."""
        if self.expert_response is None:
            raise ValueError(f"problem {self.id!r} has no expert response")
        return self.expert_response

    @property
    def expert_sequences(self) -> tuple[tuple[int, str], ...]:
        """Every expert response with its sample_index. Raises ValueError as `expert` does.

        >>> Problem("p1", "2 + 3?", "math", "It is 5.", "5", experts=("Five.",)).expert_sequences
        ((-1, 'It is 5.'), (-2, 'Five.'))
        """
        texts = (self.expert, *self.experts)
        return tuple((EXPERT - place, text) for place, text in enumerate(texts))

    @property
    def is_verifiable(self) -> bool:
        """Whether a verifier can say of a response if it is correct."""
        return self.verifier != NO_VERIFIER


# Fields that a Problem had not from the first: no part of its fingerprints where they are not set,
# so that those of older runs hold.
LATER = ("choices", "cpu_seconds", "memory_mb", "system", "experts")


@dataclass(frozen=True)
class Route:
    """One problem's router bucket, and whether it is rolled out this round."""

    problem_id: str
    bucket: str
    rolled_out: bool


@dataclass(frozen=True)
class Rollout:
    """One response sampled from the current policy, keyed (problem_id, sample_index)."""

    problem_id: str
    sample_index: int
    seed: int
    token_ids: tuple[int, ...]  # response tokens, with the EOS where the model wrote one
    text: str
    # "stop" (wrote the EOS) or "length" (ran out of new tokens); of a served model what its server
    # says.
    finish_reason: str


@dataclass(frozen=True)
class SequenceScore:
    """Log-probabilities of one response under the reference, keyed (problem_id, sample_index).

    `reference_logps[t]` is log pi_ref(y_t) in nats, one for each response token; `token_ids` are
    those response tokens. In the artifact `trained_scores` the trained model stands for pi_ref.
    """

    problem_id: str
    sample_index: int  # EXPERT for the expert response, less for further ones
    token_ids: tuple[int, ...]
    reference_logps: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Mean negative log-likelihood, nats per token."""
        return -sum(self.reference_logps) / len(self.reference_logps)


@dataclass(frozen=True)
class Dropped:
    """A row that could not be used, and why: nothing is left out in silence."""

    problem_id: str
    reason: str  # a short name, counted in the report
    detail: str = ""


@dataclass(frozen=True)
class Work:
    """How much of its work a stage found in the ledger, and how much it had to do."""

    stage: str  # the step's name
    kind: str  # "samples", "verdicts", "scores" or "trainings"
    reused: int
    made: int
    ignored: int  # files of the ledger that could not be trusted, and were not read


@dataclass(frozen=True)
class Verdict:
    """What the verifier says of one rollout, keyed (problem_id, sample_index)."""

    problem_id: str
    sample_index: int
    verifier: str
    verifier_version: str
    status: Status
    answer: str | None = None  # what was extracted from the response
    seconds: float = 0.0
    detail: str = ""
    stdout: str = ""  # python: the last 2 kB that the program printed, where they are kept
    stderr: str = ""


@dataclass(frozen=True)
class Group:
    """One problem's expert response with its usable rollouts, and the weights they get."""

    problem_id: str
    bucket: str
    sampled: int  # rollouts that were drawn
    unique: int  # after near-duplicate removal: the denominator of solvability
    undecided: int  # rollouts the machine could not judge; not part of `unique`
    correct: int
    incorrect_kept: int
    solvability: float | None  # None when the problem was not rolled out
    expert_reward: float | None
    expert_weight: float
    rollout_indices: tuple[int, ...]  # sample_index of each correct rollout
    rollout_weights: tuple[float, ...]  # in the order of rollout_indices
    dropped: tuple[str, ...]  # one reason for each rollout left out of the group


@dataclass(frozen=True)
class TrainingExample:
    """One weighted training sequence: prompt tokens, then response tokens."""

    problem_id: str
    sample_index: int  # EXPERT for the expert response, less for further ones
    input_ids: tuple[int, ...]
    prompt_tokens: int  # how many of input_ids are the prompt; they never count in the loss
    weight: float
    reference_logps: tuple[float, ...]  # nats, one for each response token


@dataclass(frozen=True)
class TrainingStep:
    """One optimizer step over all processes: a row of the training curve."""

    step: int  # from 1
    epoch: float  # passes over the examples after this step
    sequences: int
    tokens: int  # of prompts and responses
    response_tokens: int  # of them, those the loss counts
    loss: float  # what was minimised, for each response token
    nll: float  # unweighted mean of -log pi_theta(y_t), nats
    mean_weight: float
    grad_norm: float  # before clipping
    learning_rate: float
    seconds: float
    peak_memory_bytes: int  # of the main process, since it started
    mean_ratio: float | None = None  # rasft: the clipped rho
    ratio_clip_share: float | None = None  # rasft: sequences whose rho met a clip
    expert_nll: float | None = None  # as nll, of the expert sequences; None where there were none
    own_nll: float | None = None  # as nll, of the policy's own


@dataclass(frozen=True)
class ReinforcementStep:
    """One optimizer step of reinforcement learning, over all processes."""

    step: int  # from 1
    epoch: float
    reward: float  # mean over the responses that were trained on
    equal_groups: float  # share of groups whose rewards are all alike: they train nothing
    response_tokens: float  # mean of a response
    loss: float
    grad_norm: float  # before clipping
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """What identifies a trained Hugging Face folder, which was reloaded before this was made."""

    base_fingerprint: str  # of the model it was trained from
    fingerprint: str  # sha256 over the weight files and the config
    steps: int


@dataclass(frozen=True)
class BenchmarkResult:
    """One row of the stored 0/1 matrix: a problem's samples under one checkpoint."""

    benchmark: str
    checkpoint: str  # "base", "warmed_up" or "trained"; "judged" where nothing was trained
    problem_id: str
    correct: tuple[bool | None, ...]  # one for each sample; None where undecided
    statuses: tuple[str, ...]
    answers: tuple[str | None, ...] = ()  # what the verifier read; for majority votes
    finish_reasons: tuple[str, ...] = ()  # as of Rollout; "length" was cut at the token limit


@dataclass(frozen=True)
class BenchmarkResponse:
    """One sample behind a BenchmarkResult, and what the verifier says of it."""

    benchmark: str
    checkpoint: str
    problem_id: str
    sample_index: int
    text: str
    finish_reason: str  # as of Rollout
    status: str
    answer: str | None = None  # what the verifier read
    detail: str = ""


@dataclass(frozen=True)
class TrainedSequence:
    """Which sequence an optimizer step trained on."""

    step: int  # from 1
    problem_id: str
    sample_index: int  # EXPERT for the expert response


@dataclass(frozen=True, kw_only=True)
class MethodResult(BenchmarkResult):
    """One row of a comparison's 0/1 matrix: a BenchmarkResult of a method under a seed."""

    method: str  # as the comparison names it; "base" and "warm-up" are where the others start
    seed: int


@dataclass(frozen=True)
class CellResult:
    """One cell of a comparison, a method under one seed: how it went and what it was made by."""

    method: str  # as the comparison names it
    seed: int
    failure: str | None  # the first line of what went wrong; None where the cell is whole
    config: str  # JSON of the whole config that the cell ran by
    fingerprint: str = ""  # of the trained model, as Checkpoint has it
    steps: int = 0  # optimizer steps
    seconds: float = 0.0  # of training
    notes: tuple[str, ...] = ()  # what a reader must know, such as a reward that never came
    tokens: int = 0  # that it trained on, prompts included
    # How far the trained model is from its start, in nats a token; None where nothing tells.
    drift: float | None = None


@dataclass(frozen=True)
class JudgedCell:
    """One model on one benchmark in an evaluation without training: how it went."""

    row: str  # as the config's `models` names it
    benchmark: str
    failure: str | None  # the first line of what went wrong; None where the cell is whole
    config: str  # JSON of the whole config that the model was judged by
    training_data: str = ""  # fingerprint of what a run's model was trained on; empty: not known
