"""GRPO and DAPO by TRL's trainer.

    python -m rasft.training.reinforcement.program JOB_DIR --processes N

TRL owns the loop, the loss and the optimizer. From this project come the prompts (as token ids of
the one renderer), the rewards (the verifiers), DAPO's dynamic sampling, which TRL lacks, and the
saved model, which is reloaded before it counts. JOB_DIR is laid out by `reinforcement.jobs`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils.logging import disable_progress_bar

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"  # rollout_func is marked experimental: TRL is pinned
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from rasft import tables
from rasft.decoding.engine_choice import choose
from rasft.errors import UserError
from rasft.models.language_model import load_model, load_tokenizer, save_checked, stop_at
from rasft.models.renderer import open_renderer
from rasft.records import Problem, ReinforcementStep
from rasft.training.loop.log import peak_memory_bytes
from rasft.training.model.zero3 import whole_weights
from rasft.training.reinforcement.jobs import ReinforcementJob, Shape, read_job
from rasft.training.reinforcement.rewarded_groups import (
    RewardedGroup,
    RewardedResponse,
    Tally,
    dynamic,
)
from rasft.training.reinforcement.rewards import Rewards
from rasft.training.storage.jobs import CURVE, ERROR, MODEL, SUMMARY, write_json

NOTHING = "no group has both right and wrong responses: this step trains on nothing"


class Rollouts:
    """TRL's `rollout_func`: prompts, which are problem ids here, to responses with rewards."""

    def __init__(self, job: ReinforcementJob, problems: Sequence[Problem], rewards: Rewards):
        self.settings = job.config.reinforcement
        self.is_dynamic = job.config.training.method == "dapo"
        self.renderer = open_renderer(Path(job.model), job.config.prompts, job.config.chat)
        self.prompts = {row.id: list(self.renderer.prompt_ids(row)) for row in problems}
        self.rewards = rewards
        self.tally = Tally()
        self.others = _forever(list(self.prompts), job.config.seed)

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, list[Any] | None]:
        wanted = prompts[:: self.settings.group_size]
        groups = self._groups(wanted, trainer)
        if not any(group.is_mixed for group in groups):
            print(f"reinforcement: {NOTHING}", flush=True)
        pairs = [(group.problem_id, response) for group in groups for response in group.responses]
        logps = [response.logps for _, response in pairs]
        return {
            "prompt_ids": [self.prompts[problem_id] for problem_id, _ in pairs],
            "completion_ids": [list(response.token_ids) for _, response in pairs],
            "logprobs": logps if None not in logps else None,
            "reward": [response.reward for _, response in pairs],
        }

    def _groups(self, wanted: Sequence[str], trainer: Any) -> list[RewardedGroup]:
        def sample(problem_ids: Sequence[str]) -> list[RewardedGroup]:
            return self._sample(problem_ids, trainer)

        def anyone_lacks(count: int) -> bool:
            lacking = torch.tensor(max(0, count), device=trainer.accelerator.device)
            return bool(trainer.accelerator.reduce(lacking, "sum") > 0)

        resamples = self.settings.resamples if self.is_dynamic else 0
        return dynamic(wanted, sample, self.others, resamples, anyone_lacks, self.tally)

    def _sample(self, problem_ids: Sequence[str], trainer: Any) -> list[RewardedGroup]:
        size = self.settings.group_size
        repeated = [problem_id for problem_id in problem_ids for _ in range(size)]
        ids = [self.prompts[problem_id] for problem_id in repeated]
        drawn, logps = trainer._generate_single_turn(ids, None, {}, size)
        texts = [self.renderer.decode(tokens) for tokens in drawn]
        rewards = self.rewards.of(list(zip(repeated, texts, strict=True)))
        known = [tuple(row) for row in logps] if logps else [None] * len(drawn)
        responses = [
            RewardedResponse(tuple(t), r, p) for t, r, p in zip(drawn, rewards, known, strict=True)
        ]
        return [
            RewardedGroup(problem_id, tuple(responses[place * size : (place + 1) * size]))
            for place, problem_id in enumerate(problem_ids)
        ]


class Curve(TrainerCallback):
    """Keeps what TRL logs of each optimizer step, and says it."""

    def __init__(self, steps: int):
        self.steps = steps
        self.rows: list[ReinforcementStep] = []
        self._start = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """One row a step; the summary that TRL logs at the end is none."""
        logs = kwargs["logs"]
        if "reward" not in logs:
            return
        now = time.monotonic()
        row = ReinforcementStep(
            step=state.global_step,
            epoch=float(state.epoch or 0.0),
            reward=logs["reward"],
            equal_groups=logs["frac_reward_zero_std"],
            response_tokens=logs["completions/mean_length"],
            loss=logs["loss"],
            grad_norm=float(logs["grad_norm"]),
            learning_rate=logs["learning_rate"],
            seconds=now - self._start,
        )
        self._start = now
        self.rows.append(row)
        if state.is_world_process_zero:
            print(
                f"train: step {row.step}/{self.steps}, reward {row.reward:.3f}, "
                f"{100 * row.equal_groups:.0f} % of the groups with equal rewards, "
                f"{row.response_tokens:.0f} tokens a response, rate {row.learning_rate:.3g}",
                flush=True,
            )


def judged(reward: list[float | None], **others: Any) -> list[float | None]:
    """TRL's reward function: the rollout has judged its responses already."""
    return reward


def arguments(
    job: ReinforcementJob, shape: Shape, folder: Path, stop_token_ids: Sequence[int]
) -> GRPOConfig:
    """The config's values in TRL's terms. Where vLLM samples, it is told where to stop; else the
    model's generation config says so."""
    training, settings = job.config.training, job.config.reinforcement
    plugin, _ = choose(job.config.rollout.engine)
    stops = {"stop_token_ids": list(stop_token_ids)}
    warm = "constant_with_warmup" if training.schedule == "constant" else training.schedule
    return GRPOConfig(
        output_dir=str(folder / "trl"),
        loss_type=training.method,
        num_generations=settings.group_size,
        per_device_train_batch_size=shape.micro_batch,
        gradient_accumulation_steps=shape.accumulation,
        max_steps=shape.steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=warm,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        beta=settings.kl_weight,
        epsilon=settings.clip_low,
        epsilon_high=settings.clip_high,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_completion_length=settings.max_new_tokens,
        use_vllm=plugin.NAME == "vllm",
        vllm_mode="colocate",
        generation_kwargs=stops if plugin.NAME == "vllm" else None,
        vllm_gpu_memory_utilization=settings.vllm_memory_share,
        gradient_checkpointing=training.gradient_checkpointing,
        disable_dropout=not training.dropout,
        bf16=job.config.model.dtype == "bfloat16",
        fp16=job.config.model.dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        seed=job.config.seed,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def train(folder: Path, processes: int) -> None:
    """Run the job of a folder and leave the trained model there, the summary last.

    Raises UserError for a job that cannot be trained, or if there are not `processes` processes.
    """
    start = time.monotonic()
    job, problems = read_job(folder)
    shape = job.shape(len(problems), processes)
    curve = Curve(shape.steps)
    with Rewards({row.id: row for row in problems}, job.config.verification) as rewards:
        rollouts = Rollouts(job, problems, rewards)
        model = load_model(job.model)
        template = rollouts.renderer.template.added
        stop_at(model, rollouts.renderer.stop_token_ids)
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=judged,
            args=arguments(job, shape, folder, rollouts.renderer.stop_token_ids),
            train_dataset=Dataset.from_dict({"prompt": [row.id for row in problems]}),
            processing_class=load_tokenizer(job.model, template),
            rollout_func=rollouts,
            callbacks=[curve],
        )
        if trainer.accelerator.num_processes != processes:
            raise UserError(
                f"training was to run on {processes} processes but was started on "
                f"{trainer.accelerator.num_processes}: check training.processes"
            )
        trainer.train()
    tally = sum(gather_object([rollouts.tally]), Tally())
    state = whole_weights(trainer.accelerator, trainer.model_wrapped)
    if trainer.accelerator.is_main_process:
        _save(trainer, state, load_tokenizer(job.model, template), folder, curve.rows)
        seconds = time.monotonic() - start
        write_json(folder / SUMMARY, summarise(curve.rows, tally, shape, processes, seconds))


def summarise(
    rows: Sequence[ReinforcementStep], tally: Tally, shape: Shape, processes: int, seconds: float
) -> dict[str, Any]:
    """What a training did, in numbers; `notes` say what must not be overlooked."""
    notes = []
    if tally.mixed + tally.all_right == 0:
        notes.append(f"every reward of {tally.groups} groups was 0: nothing was learnt")
    elif tally.steps_without_signal:
        idle, passes = tally.steps_without_signal, len(rows) * processes
        notes.append(f"{idle} of {passes} batches had no group with right and wrong responses")
    for note in notes:
        print(f"reinforcement: {note}", flush=True)
    return {
        "processes": processes,
        "steps": len(rows),
        "sequences": len(rows) * shape.batch_size,
        **vars(tally),
        "first_reward": rows[0].reward,
        "final_reward": rows[-1].reward,
        "notes": notes,
        "peak_memory_bytes": peak_memory_bytes(),
        "seconds": seconds,
    }


def _save(
    trainer: Any,
    state: dict[str, torch.Tensor],
    tokenizer: Any,
    folder: Path,
    rows: Sequence[ReinforcementStep],
) -> None:
    model = trainer.accelerator.unwrap_model(trainer.model)
    weights = {name: value.cpu() for name, value in state.items()}
    save_checked(model, weights, tokenizer, folder / MODEL)
    tables.write(tables.to_table(rows, ReinforcementStep), folder / CURVE)


def _forever(problem_ids: list[str], seed: int) -> Iterator[str]:
    """The problems over and over, each time in another order."""
    draw = random.Random(f"{seed}/resamples")
    while True:
        yield from draw.sample(problem_ids, len(problem_ids))


def main() -> int:
    """The command line. A failure that the user can mend is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m rasft.training.reinforcement.program", description=__doc__
    )
    parser.add_argument("job_dir", type=Path)
    parser.add_argument("--processes", type=int, required=True, help="refuse to run on fewer")
    given = parser.parse_args()
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        train(given.job_dir, given.processes)
    except UserError as error:
        write_json(given.job_dir / ERROR, {"message": str(error)})
        print(f"training failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
