"""One training, advanced an optimizer step at a time: the only loop body, for every method.

The loss of a step is the sum of the token terms divided by the number of response tokens of the
WHOLE step, over all micro-batches and processes, so the gradient does not depend on how the step
is cut up. Weights are fp32; the accelerator says in which dtype they are used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import pyarrow as pa
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from rasft import plugins
from rasft.errors import UserError
from rasft.losses import LossSettings, uses_kl
from rasft.models.language_model import load_model
from rasft.records import TrainingStep
from rasft.training.loop import ranks
from rasft.training.loop.log import peak_memory_bytes
from rasft.training.loop.noise import train_without_noise
from rasft.training.loop.schedule import rate_factor
from rasft.training.loop.spikes import SpikeGuard
from rasft.training.model.batching import Batch, Layout, Order, Rows, collate, plan_step
from rasft.training.model.compiling import compile_layers
from rasft.training.model.forward import ResponseLogps, loss_inputs, response_logps
from rasft.training.model.lora import load_quantized, with_adapters
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import TrainingJob

LESS_MEMORY = (  # what a user can do
    "lower training.micro_batch_tokens, or set training.gradient_checkpointing; rasft plan --gpu "
    "says what a training takes"
)
Passes = list[tuple[Rows, dict[str, Tensor]]]


class Diverged(UserError):
    """A step that must not change the weights; the state is the one before it."""


class Trainer:
    """One training: model, optimizer and data of one process, advanced a step at a time."""

    def __init__(self, job: TrainingJob, store: ExampleStore, accelerator: Accelerator):
        self.config = job.training
        self.store = store
        self.accelerator = accelerator
        self.loss = plugins.load("losses", self.config.method)
        self.settings = LossSettings.of(self.config.loss)
        self.layout = Layout(self.config.micro_batch_tokens, self.config.packing)
        self.position = job.position
        self.order = Order(
            len(store), self.config.batch_size, self.config.epochs, job.seed, self.config.max_steps
        )
        self.model = load_model_of(job)
        lora = self.config.lora
        self.adapted = with_adapters(self.model, lora, job.seed) if lora else None
        store.check(self.model.get_input_embeddings().num_embeddings, self.loss.USES_REFERENCE)
        self.module, self.optimizer = ranks.prepare(
            accelerator,
            response_logps(self.model, self.config.packing, int(store.lengths.max())),
            torch.optim.AdamW(
                [p for p in self.model.parameters() if p.requires_grad],
                lr=self.config.learning_rate,
                weight_decay=self.config.weight_decay,
            ),
        )
        self.reference = self._open_reference(job) if uses_kl(self.loss) else None
        self.spikes = SpikeGuard(self.config.spike_factor)
        self.consumed = self.planned(0)
        self._enter_training()

    def planned(self, steps: int) -> pa.Table:
        """What the first so many steps train on: (step, problem_id, sample_index) rows."""
        return pa.concat_tables([self._keys(-1, ()), *(self._planned(i) for i in range(steps))])

    def resume(self, rows: Sequence[TrainingStep], consumed: pa.Table) -> None:
        """Go on after these steps, which trained on these sequences."""
        self.consumed = consumed
        self.spikes = SpikeGuard(self.config.spike_factor, [row.nll for row in rows])

    def step(self, index: int) -> TrainingStep:
        """One optimizer step, counted from 0.

        Raises Diverged, before the weights change, if it is not finite or its loss is a spike.
        """
        start = time.monotonic()
        rows = self.order.step(index)
        rate = self._set_rate(index)
        sums = self._accumulate_in_memory(index, rows)
        responses = int(self.store.responses[list(rows)].sum())
        if fault := self.spikes.fault(sums["nll"] / responses):
            self._stop(index, fault, rows)
        sums["loss"] *= self._recount(int(sums.pop("counted")), responses)
        norm = self._clip(index, rows)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.consumed = pa.concat_tables([self.consumed, self._keys(index, rows)])
        return TrainingStep(
            step=index + 1,
            epoch=self.order.done(index) / len(self.store),
            sequences=len(rows),
            tokens=int(self.store.lengths[list(rows)].sum()),
            response_tokens=responses,
            loss=sums.pop("loss"),
            nll=sums.pop("nll") / responses,
            grad_norm=norm,
            learning_rate=rate,
            seconds=time.monotonic() - start,
            peak_memory_bytes=peak_memory_bytes(),
            **{name: total / len(rows) for name, total in sums.items()},
        )

    def _open_reference(self, job: TrainingJob) -> ResponseLogps:
        """The frozen starting model, whole on each device: only a loss with USES_KL needs it."""
        model = (
            load_model(job.position.reference or job.model)
            .requires_grad_(False)
            .to(self.accelerator.device)
        )
        return response_logps(model, self.config.packing, int(self.store.lengths.max()))

    def _planned(self, index: int) -> pa.Table:
        return self._keys(index, self.order.step(index))

    def _keys(self, index: int, rows: Rows) -> pa.Table:
        step = pa.array([index + 1] * len(rows), pa.int64())
        return self.store.keys(rows).add_column(0, "step", step)

    def _enter_training(self) -> None:
        """Gradient checkpointing and training mode, without the model's own noise."""
        if self.config.compile:
            compile_layers(self.model)
        if self.config.gradient_checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        self.module.train()
        if not self.config.dropout:
            train_without_noise(self.model)

    def _set_rate(self, index: int) -> float:
        config = self.config
        steps, position = self.order.steps, self.position
        now, end = position.number * steps + index, position.rounds * steps  # one schedule over all
        factor = rate_factor(now, end, config.warmup_steps, config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * factor
        return config.learning_rate * factor

    def _accumulate_in_memory(self, index: int, rows: Rows) -> dict[str, float]:
        """As `accumulate`; where one process runs out of GPU memory all of them halve their token
        budget and begin the step again. Raises UserError where that cannot help."""
        while (passes := self._passes_in_memory(rows)) is None:
            self._halve()
        return self._add_up(index, passes)

    def _passes_in_memory(self, rows: Rows) -> Passes | None:
        """As `_passes`; None, on all processes, where one ran out of GPU memory."""
        passes = None
        try:
            passes = self._passes(rows)
        except torch.OutOfMemoryError as error:
            if ranks.is_sharded(self.accelerator):
                raise self._too_large() from error
        if passes is None:  # and the error has let go of its tensors
            torch.cuda.empty_cache()
        return None if ranks.one_says(self.accelerator, passes is None) else passes

    def _halve(self) -> None:
        budget = self.layout.budget // 2
        if budget < self.store.lengths.max():
            raise self._too_large()
        self.layout = replace(self.layout, budget=budget)
        self.optimizer.zero_grad()
        if self.accelerator.is_main_process:
            print(f"out of GPU memory: from now on {budget} tokens in a forward pass", flush=True)

    def _too_large(self) -> UserError:
        return UserError(
            f"out of GPU memory with {self.layout.budget} tokens in a forward pass; {LESS_MEMORY}"
        )

    def accumulate(self, index: int, rows: Rows) -> dict[str, float]:
        """Gradients of the whole step; its sums over all micro-batches and processes."""
        return self._add_up(index, self._passes(rows))

    def _passes(self, rows: Rows) -> Passes:
        """Forward and backward of this process's micro-batches: each with its sums for the log."""
        accelerator = self.accelerator
        plans = plan_step(rows, self.store.lengths, self.layout, accelerator.num_processes)
        mine = plans[accelerator.process_index]
        divisor = self._divisor(rows, plans)
        passes = []
        for place, micro_batch in enumerate(mine, start=1):
            batch = collate(self.store.take(micro_batch), self.config.packing)
            if ranks.is_sharded(accelerator):  # DeepSpeed's engine asks whether the step ends
                accelerator.sync_gradients = place == len(mine)
            sums = self._pass(batch.to(accelerator.device), divisor(micro_batch))
            passes.append((micro_batch, sums))
        return passes

    def _add_up(self, index: int, passes: Passes) -> dict[str, float]:
        """The sums over all processes, which then have the gradients of all."""
        values = torch.stack([torch.stack(list(sums.values())) for _, sums in passes])
        total = self.accelerator.reduce(values.sum(dim=0), "sum")
        if not total.isfinite().all():
            finite = values.isfinite().all(dim=1).tolist()
            bad = [
                r for (rows, _), good in zip(passes, finite, strict=True) if not good for r in rows
            ]
            self._stop(index, "the loss is not finite", bad)
        ranks.add_up_gradients(self.accelerator, self.module)
        return dict(zip(passes[0][1], total.tolist(), strict=True))

    def _divisor(self, rows: Rows, plans: Sequence[Sequence[Rows]]) -> Callable[[Rows], int]:
        """What a micro-batch's summed loss is divided by."""
        responses = self.store.responses
        if self.config.denominator == "global":
            total = int(responses[list(rows)].sum())
            return lambda micro_batch: total
        filled = sum(bool(micro_batch) for plan in plans for micro_batch in plan)
        return lambda micro_batch: filled * max(1, int(responses[list(micro_batch)].sum()))

    def _pass(self, batch: Batch, divisor: int) -> dict[str, Tensor]:
        """Forward and backward of one micro-batch; its sums for the log."""
        inputs = loss_inputs(self.module, batch, self.reference)
        output = self.loss.token_loss(inputs, self.settings)
        counted_BT = inputs.mask_BT if output.counted_BT is None else output.counted_BT
        loss = output.loss_BT.sum() / divisor
        # Shards average gradients over the processes, but the divisor is already that of all.
        averaged = ranks.is_sharded(self.accelerator)
        self.accelerator.backward(loss * self.accelerator.num_processes if averaged else loss)
        return {
            "loss": loss.detach(),
            "nll": -inputs.logp_BT.detach().sum(),
            "counted": counted_BT.sum(),
            "mean_weight": batch.weights_B.sum(),
            **{name: values.sum() for name, values in output.metrics.items()},
        }

    def _recount(self, counted: int, responses: int) -> float:
        """Divide the gradients by the tokens that the loss counted, not by all response tokens.

        Which those are is only known after the last micro-batch. Returns the factor. Raises
        UserError where the gradients cannot be reached.
        """
        if counted == responses:
            return 1.0
        factor = responses / max(1, counted)
        gradients = [p.grad for p in self.module.parameters() if p.grad is not None]
        if not gradients or self.config.denominator != "global":
            raise UserError(
                f"training.method {self.config.method!r} counts its own tokens, which needs "
                "training.denominator 'global' and the launcher ddp or fsdp2"
            )
        for gradient in gradients:
            gradient.mul_(factor)
        return factor

    def _clip(self, index: int, rows: Rows) -> float:
        """The gradient norm before clipping. Half precision skips steps that overflowed."""
        limit = self.config.max_grad_norm
        norm = float(self.accelerator.clip_grad_norm_(self.module.parameters(), limit))
        if not math.isfinite(norm) and self.accelerator.mixed_precision != "fp16":
            self._stop(index, f"the gradient norm is {norm}", rows)
        return norm

    def _stop(self, index: int, fault: str, rows: Sequence[int]) -> NoReturn:
        self.optimizer.zero_grad()
        mine = set(self.store.keys(rows)["problem_id"].to_pylist())
        problems = sorted(set(gather_object(sorted(mine))))
        named = ", ".join(problems[:20]) + (", ..." if len(problems) > 20 else "")
        raise Diverged(
            f"training stopped before step {index + 1} changed the weights: {fault} in a batch "
            f"with the problems {named}; look at these rows, or lower training.learning_rate"
        )


def load_model_of(job: TrainingJob) -> Any:
    """The job's starting model: fp32 weights, or 4-bit ones under adapters."""
    quantized = job.training.lora and job.training.lora.quantize
    return load_quantized(job.model, job.dtype) if quantized else load_model(job.model)
