"""The typed configuration: every value of a run, documented where it is declared.

`files` reads YAML into it. Annotations carry the limits, comments the meaning and the units.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from rasft import plugins
from rasft.config.chat import ChatConfig
from rasft.config.resources import ResourcesConfig
from rasft.config.section import Count, Positive, Section, Share
from rasft.config.verification import VerificationConfig

REINFORCEMENT = ("grpo", "dapo")  # methods that train on rewards instead of examples


def _plugin(kind: plugins.Kind, *others: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in (*plugins.names(kind), *others):
            raise ValueError(plugins.unknown(kind, name))
        return name

    return AfterValidator(check)


def _in_use(sources: dict[str, str]) -> dict[str, str]:
    plugins.register(sources)  # before the fields below it, which name them, are validated
    return sources


def _with_problem(text: str) -> str:
    if "{problem}" not in text:
        raise ValueError("it has no {problem}, the place of the problem's text")
    return text


class ModelConfig(Section):
    """The starting model, which is the policy and (after any warm-up) the frozen reference."""

    # A Hugging Face folder, a hub id, or "embedded:smollm2-135m". To be judged, not trained, also a
    # run ("RasftFlow/12"), "champion:CONFIG", or "http(s)://HOST/v1#NAME", a model of a server.
    path: str
    revision: str | None = None  # hub only: the commit to load
    fingerprint: str | None = None  # sha256 of config and weights; a run stops at any other
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"  # of compute, not of weights
    key: str = "OPENAI_API_KEY"  # of a server: the environment variable that holds its key


class SourceConfig(Section):
    """One dataset or benchmark and how much of it to take."""

    name: str
    limit: Count | None = None  # rows; null takes all
    samples: Count | None = None  # benchmarks: overrides evaluation.samples_per_problem
    options: dict[str, Any] = {}  # the plugin's own settings


class DatasetConfig(SourceConfig):
    """One training dataset."""

    name: Annotated[str, _plugin("datasets")]  # a plugin of rasft/datasets


class BenchmarkConfig(SourceConfig):
    """One evaluation benchmark."""

    name: Annotated[str, _plugin("benchmarks")]  # a plugin of rasft/benchmarks


class DataConfig(Section):
    """The training problems."""

    datasets: tuple[DatasetConfig, ...] = ()  # in order; problems of all of them
    max_tokens: Count = 2048  # prompt and expert response; longer rows are dropped and counted
    decontaminate: bool = True  # drop problems that share a 13-gram run with a benchmark
    # drop problems that repeat an earlier one: shared 5-word shingles, with equal gold; null: keep
    near_duplicates: Share | None = 0.8
    score_shards: Count = 1  # parallel tasks of the score step
    # Processes of such a task; null: as many as its GPUs hold copies of the model; one on a CPU.
    score_processes: Count | None = None


class Exchange(Section):
    """One worked example in the prompt."""

    user: str  # what the user asks
    assistant: str  # the answer, in the form that is wanted


class PromptConfig(Section):
    """What stands around the problem in the chat."""

    system: str = ""  # the system message; empty: none
    few_shot: tuple[Exchange, ...] = ()  # worked examples before the question, in order
    # The user's message; {problem} is the problem's text.
    question: Annotated[str, AfterValidator(_with_problem)] = "{problem}"


class WarmupConfig(Section):
    """An expert-only stage for a model that does not yet answer in the required form."""

    # Its own, which the round then does not see; none: taken from the training problems.
    datasets: tuple[DatasetConfig, ...] = ()
    problems: Count  # of them
    # Of its data and its order; null: the run's. Fixed, runs of several seeds start alike.
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    epochs: Positive = 1.0  # passes over its problems
    learning_rate: Positive = 5e-5  # the peak of its schedule
    batch_size: Count = 16  # sequences an optimizer step


class AdaptiveConfig(Section):
    """Two-stage sampling: `first` for all, `more` where the weights could still change."""

    first: Count  # K1
    more: Count  # K2
    threshold: Annotated[float, Field(ge=0)] = 0.1  # expected change of a group's weights


class PosteriorConfig(Section):
    """The Beta posterior of each problem's solvability, carried over rounds."""

    prior: tuple[Positive, Positive] = (0.5, 0.5)  # Beta(correct, incorrect) before any rollout
    discount: Share = 0.5  # share of a round's evidence that the next one keeps


class EngineWatchConfig(Section):
    """When an engine counts as broken, and how often it is replaced."""

    start_seconds: Positive = 1800.0  # to load a model; then it is killed
    silence_seconds: Positive = 300.0  # with neither a step nor a sample; then it is killed
    restarts: Annotated[int, Field(ge=0)] = 2  # of one engine, beside those on the memory ladder


class RolloutConfig(Section):
    """Sampling from the current policy."""

    engine: Annotated[str, _plugin("engines", "auto")] = "auto"  # auto: vllm where it fits
    shards: Count = 1  # parallel rollout tasks
    max_failed_shards: Annotated[int, Field(ge=0)] = 0  # the run goes on without; see the report
    samples_per_problem: Count = 3  # K
    temperature: Annotated[float, Field(ge=0)] = 0.9  # 0 is greedy
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95  # of the nucleus; 1 is off
    repetition_penalty: Positive = 1.1  # over prompt and response; 1 is off
    max_new_tokens: Count = 1024  # of a response
    max_sequences: Count | None = None  # side by side in each engine; null: what its memory holds
    tensor_parallel: Count | None = None  # vllm: GPUs that share a copy; null: as few as hold it
    # Engines side by side over the same requests; null: one for each group of the task's GPUs.
    data_parallel: Count | None = None
    # vllm: the evaluation of a model trained with training.lora samples its adapters over the base
    # that is loaded for its own row; null: the merged weights.
    adapters: Literal["apart"] | None = None
    # vllm on a GPU: weights that sample in 8 bits. The log-probs that train stay the model's own.
    quantization: Literal["fp8"] | None = None
    batch_invariant: bool = False  # vllm on a GPU: what is sampled beside changes no sample; slower
    adaptive: AdaptiveConfig | None = None  # null: K samples of every problem
    posterior: PosteriorConfig = PosteriorConfig()
    watch: EngineWatchConfig = EngineWatchConfig()

    @model_validator(mode="after")
    def _adds_up(self) -> RolloutConfig:
        if self.adaptive and self.adaptive.first + self.adaptive.more != self.samples_per_problem:
            raise ValueError("adaptive first + more must equal samples_per_problem")
        if self.adapters and self.quantization:
            raise ValueError("adapters and quantization exclude each other: take one out")
        return self


class QualityConfig(Section):
    """Near-duplicate and text filters; the defaults suit long solutions (arXiv 2606.07006).

    The thresholds are those of the authors' script, the rules are not its code: of 6,000 random
    texts 864 were judged otherwise. Here an empty or unclosed box is a box, the order is length,
    punctuation, loop, format, and no phrase of doubt ("wait, rechecking") is looked for.
    """

    # 3-gram Jaccard with an earlier kept rollout. A text of one or two words, which has no 3-gram,
    # is compared as a whole here.
    duplicate_similarity: Share = 0.82
    min_characters: Annotated[int, Field(ge=0)] = 20  # shorter text is dropped
    min_format_characters: Annotated[int, Field(ge=0)] = 80  # of a valid format
    shortcut_characters: Annotated[int, Field(ge=0)] = 120  # a boxed answer shorter than this
    require_reasoning: bool = True  # a valid format shows a sign of reasoning
    max_punctuation: Share = 0.42  # of the visible characters
    loop_words: Count = 8  # a phrase of this many words ...
    loop_repeats: Count = 3  # ... so often is a loop
    negative_similarity: Share = 0.88  # an incorrect rollout this near a correct one is dropped
    negative_target_similarity: Share = 0.45  # those nearest to this are kept first


class WeightingConfig(Section):
    """From a group's rewards to its weights (arXiv 2606.07006)."""

    # What a fully solved problem gets; "flat" weighs no problem by its solvability.
    variant: Literal["paper", "reference", "flat"] = "paper"
    samples: Count | None = None  # the first so many of a problem's rollouts; null: all
    reward_max: float = 3.0  # expert reward at solvability 0
    reward_min: float = 1.0  # expert reward at solvability 1
    alpha: Positive = 0.4  # temperature of tanh(alpha z)
    rollout_coefficient: Share = 0.25  # times each rollout weight
    rollout_floor: Share = 0.02  # of a rollout weight, before the coefficient
    rollout_cap: Share = 0.15  # of a rollout weight, before the coefficient
    expert_floor: Share = 0.02  # paper variant: expert weight of a solved problem, times c
    # Incorrect rollouts that stay in the statistics.
    max_negative_keep: Annotated[int, Field(ge=0)] = 3

    @model_validator(mode="after")
    def _ordered(self) -> WeightingConfig:
        if self.reward_max < self.reward_min:
            raise ValueError("reward_max must be at least reward_min")
        if self.rollout_cap < self.rollout_floor:
            raise ValueError("rollout_cap must be at least rollout_floor")
        return self


class RouterConfig(Section):
    """Which problems get rollouts."""

    # The window's thresholds are float64, the script's float32: it matters to a loss on one.
    kind: Literal["all", "quantile_window"] = "all"
    easy_quantile: Share = 0.10  # of the losses; below it the expert alone
    # The window (low, high) at the start of training.
    start_quantiles: tuple[Share, Share] = (0.20, 0.45)
    end_quantiles: tuple[Share, Share] = (0.50, 0.75)  # and at its end
    ceiling_quantile: Share = 0.90  # above it no problem is probed
    main_rollout_ratio: Share = 0.35  # of the window's problems, rounded up
    hard_probe_ratio: Share = 0.03  # of the hard pool, rounded down, to 1 at the least
    progress: Share = 0.0  # where in training this round stands: moves the window


class LoraSettings(Section):
    """Low-rank adapters in place of all weights; the trained model has them merged in."""

    rank: Count = 16  # of the adapters
    alpha: Count = 32  # the adapters' output is scaled by alpha / rank
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of the adapters' input
    target_modules: tuple[str, ...] = ()  # names of linear layers; empty: all but the head
    quantize: Literal["nf4"] | None = None  # QLoRA: 4-bit base weights; a GPU and the extra [qlora]


class TrainingConfig(Section):
    """The optimizer and the loss."""

    # A plugin of rasft/losses, or grpo, dapo.
    method: Annotated[str, _plugin("losses", *REINFORCEMENT)] = "rasft"
    loss: dict[str, float] = {}  # the method's constants, see rasft.losses.LossSettings
    epochs: Positive = 1.0  # passes over the sequences; a part of one too
    max_steps: Count | None = None  # end after so many optimizer steps; null: after the epochs
    learning_rate: Positive = 5e-5  # the peak of the schedule
    warmup_steps: Annotated[int, Field(ge=0)] = 4  # steps of linear rise to the peak
    schedule: Literal["cosine", "linear", "constant"] = "cosine"  # after the rise
    weight_decay: Annotated[float, Field(ge=0)] = 0.0  # AdamW's
    max_grad_norm: Positive = 1.0  # longer gradients are clipped to it
    batch_size: Count = 256  # sequences an optimizer step, over all processes
    micro_batch_tokens: Count = 8192  # tokens of one forward pass, with padding if not packed
    packing: bool = True  # sequences end to end in one row, each attending to itself alone
    denominator: Literal["global", "micro_batch"] = "global"  # of the token loss
    # The model's own, and a router's jitter; LoRA's has its own setting. Without it the policy
    # starts where the stored reference is: the ratio of the two is 1 at the first step.
    dropout: bool = False
    lora: LoraSettings | None = None  # null trains all weights
    gradient_checkpointing: bool = False  # less memory, a third more time
    compile: bool = False  # torch.compile each decoder layer: worth its time in long trainings
    spike_factor: Annotated[float, Field(gt=1)] | None = 4.0  # times the usual NLL: stop; null: no
    preflight: bool = False  # check model, rows and gradients before the first step
    checkpoint_minutes: Positive = 10.0  # save the training's state this often ...
    checkpoint_steps: Count | None = None  # ... or this often, whichever comes first
    checkpoints_kept: Count = 2  # the newest ones; all are removed once the model is saved
    # Where losses are logged beside the curve.
    trackers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)
    launcher: str = "ddp"  # a file of configs/accelerate/
    processes: Count | None = None  # on each node; null: one for each GPU, or one on the CPU
    threads: Count | None = None  # of each process on a CPU; null: the processes share all cores
    nodes: Count = 1  # machines: several are for flows/rasft_nodes_flow.py and sft_nodes_flow.py


class ReinforcementConfig(Section):
    """Reinforcement learning from verified answers: grpo and dapo, which read `training` too.

    `training.batch_size` is the sequences of an optimizer step, so group_size times its problems.
    """

    group_size: Annotated[int, Field(ge=2)] = 8  # responses to a problem
    temperature: Positive = 1.0  # of its rollouts
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0  # of its rollouts; 1 is off
    max_new_tokens: Count = 1024  # of a response
    kl_weight: Annotated[float, Field(ge=0)] = 0.0  # beta; 0 keeps no reference in memory
    clip_low: Share = 0.2  # the ratio is clipped to [1 - clip_low, 1 + clip_high]
    clip_high: Share = 0.2  # dapo: 0.28
    resamples: Annotated[int, Field(ge=0)] = 3  # dapo: rounds more, for groups that teach something
    micro_batch: Count = 8  # sequences of one forward pass
    vllm_memory_share: Share = 0.3  # of the GPU, where vllm samples beside the training


class EvaluationConfig(Section):
    """The benchmarks and how they are sampled."""

    benchmarks: tuple[BenchmarkConfig, ...] = ()  # each is one parallel task
    # A file of configs/protocols, whose values stand below this section's file: how published
    # tables are made. Named in tables.
    protocol: str | None = None
    samples_per_problem: Count = 16  # under each checkpoint
    temperature: Annotated[float, Field(ge=0)] = 1.0  # 0 is greedy
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the nucleus; 1 is off
    max_new_tokens: Count = 1024  # of a response
    max_failed_benchmarks: Annotated[int, Field(ge=0)] = 0  # as rollout.max_failed_shards
    # Training problems whose responses the trained model scores, to show what training changed.
    rescored: Annotated[int, Field(ge=0)] = 64
    skip_unavailable: bool = False  # a benchmark with no data here is skipped and reported
    bootstrap_samples: Count = 10_000  # draws behind an interval
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95  # of the intervals


class ScheduleConfig(Section):
    """When a champion is trained anew, and what a candidate must show (flows/retrain_flow.py)."""

    cron: Annotated[str, Field(pattern=r"^\S+( \S+){4}$")] | None = None  # "minute hour day ..."
    timezone: str | None = None  # of cron, such as "Europe/Berlin"; null: the cluster's
    event: str | None = None  # the Argo event that tells of new data
    only_new_data: bool = True  # a tick with the champion's own training problems ends at once
    champion: str | None = None  # the pointer file, local or fsspec; null: in the cache, by name
    margin: Share = 0.02  # how far one benchmark may fall, as a share of 1 ...
    margins: dict[str, Share] = {}  # ... and for single benchmarks, by name
    min_problems: Count = 30  # judged for both, over all benchmarks; fewer cannot tell


class LedgerConfig(Section):
    """The store of every sample, verdict, score and training: nothing in it is made again."""

    enabled: bool = True  # false makes everything anew and keeps nothing
    path: str | None = None  # any fsspec address; null: $RASFT_LEDGER_DIR, else in the cache folder
    flush_seconds: Positive = 60.0  # what a killed shard may lose; a file is written this often
    trainings: bool = True  # also keep finished trainings, each with its model folder


class PlannedConfig(Section):
    """What a comparison was designed to find, as `rasft power` says; its report is held to it."""

    pilot: str  # the run whose variances it was planned from
    benchmark: str  # the one that the study is about; what the others show is looked at afterwards
    finds: Annotated[float, Field(gt=0, le=100)]  # points: the smallest difference that is found
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.9  # with this chance
    # The design that finds it; a config that would run another is refused.
    seeds: Count  # of the comparison
    problems: Count  # of the benchmark
    samples: Count  # a problem


class ComparisonConfig(Section):
    """Methods side by side, for flows/compare_flow.py."""

    # Each trains every method.
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(min_length=1)
    # Row -> the values laid over this config for it; training.method is the row's name if not said.
    methods: dict[str, dict[str, Any]] = Field(min_length=1)
    cells_per_task: Count = 1  # of a seed, trained and evaluated by one task
    planned: PlannedConfig | None = None


class Config(Section):
    """Every value of a run."""

    name: str  # of the run, in reports and tables
    # Folders of your own plugins, relative to the config's file: [my_plugins]. A run keeps each
    # file's text by its path in its folder, and so has its plugins wherever it goes on.
    plugins: Annotated[dict[str, str], AfterValidator(_in_use)] = {}
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0  # of sampling, shuffling, splits and intervals
    rounds: Count = 1  # runs of a chain (flows/rounds_flow.py), each from the last checkpoint
    model: ModelConfig
    data: DataConfig = DataConfig()
    prompts: dict[str, PromptConfig]  # by verifier: "math", "python", "choice", "none", ...
    chat: ChatConfig = ChatConfig()
    warmup: WarmupConfig | None = None
    rollout: RolloutConfig = RolloutConfig()
    quality: QualityConfig = QualityConfig()
    weighting: WeightingConfig = WeightingConfig()
    router: RouterConfig = RouterConfig()
    verification: VerificationConfig = VerificationConfig()
    training: TrainingConfig = TrainingConfig()
    reinforcement: ReinforcementConfig = ReinforcementConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    ledger: LedgerConfig = LedgerConfig()
    comparison: ComparisonConfig | None = None
    # Models side by side, for flows/eval_flow.py. Row -> the values laid over this config.
    models: dict[str, dict[str, Any]] = {}
    schedule: ScheduleConfig = ScheduleConfig()
    resources: ResourcesConfig = ResourcesConfig()
