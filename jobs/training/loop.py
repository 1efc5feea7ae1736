"""The training loop: forward, backward, step, save, and nothing that knows of files' contents or of tools."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.errors import UserError
from jobs.qwen.layout import Batch, ControlIds, Example, lay_out
from jobs.qwen.loss import loss_sums, predict, total_loss
from jobs.runner.context import Cancelled, JobContext
from jobs.training import checkpoint as checkpoints
from jobs.training.batches import epoch_batches, optimiser_steps
from jobs.training.history import STEP_COLUMNS, VALIDATION_COLUMNS, History, TensorBoardLog
from jobs.training.optimiser import clip_gradients, learning_rate, set_learning_rate, trainable

VALIDATIONS_AT_MOST = 20  # a run of a thousand tiny epochs would do little else


@dataclass(frozen=True)
class Plan:
    """A run, resolved: no defaults left open. Steps are optimiser steps."""

    total_steps: int
    steps_per_epoch: int
    batch_size: int
    accumulation: int
    lr: float
    warmup_steps: int
    max_grad_norm: float
    code_predictor_weight: float
    seed: int
    save_every_steps: int
    device: str
    run: dict[str, Any]
    """What identifies the run: its parameters, data and base. Travels in every checkpoint."""

    @property
    def autocast(self) -> Callable[[], AbstractContextManager[Any]]:
        """bfloat16 arithmetic on a GPU that has it, over float32 weights; plain float32 on a CPU."""
        if self.device != "cpu" and torch.cuda.is_bf16_supported():
            return lambda: torch.autocast("cuda", torch.bfloat16)
        return nullcontext

    @property
    def validate_every_epochs(self) -> int:
        """Every epoch, unless there are very many."""
        n_epochs = -(-self.total_steps // self.steps_per_epoch)
        return -(-n_epochs // VALIDATIONS_AT_MOST)


class Training:
    """One run: holds the model, the optimiser and the losses, and steps through the plan.

    Args:
        plan: what to do.
        model: stock model in training mode; what requires a gradient learns.
        ids: control ids of the model.
        train: clips to learn.
        validation: clips held out; may be empty.
        optimiser: over what learns.
        folder: of the checkpoints.
    """

    def __init__(
        self,
        plan: Plan,
        model: nn.Module,
        ids: ControlIds,
        train: Sequence[Example],
        validation: Sequence[Example],
        optimiser: torch.optim.Optimizer,
        folder: Path,
    ) -> None:
        self.plan, self.model, self.ids = plan, model, ids
        self.train, self.validation = train, validation
        self.optimiser, self.folder = optimiser, folder
        self.parameters = trainable(model)
        self.history = History()
        self.step = 0
        self._lengths = [example.length for example in train]
        self._dealt: tuple[int, list[list[list[int]]]] = (-1, [])  # epoch, its optimiser steps

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        found = checkpoints.newest(self.folder, self.plan.run)
        if found is not None:
            checkpoints.restore(found, self.parameters, self.optimiser)
            self.step = found.step
            self.history = History(**found.history)

    def run(self, context: JobContext, log: TensorBoardLog) -> None:
        """Step to the end of the plan, saving on the way, at the end, and before a cancel takes effect."""
        clock = _Clock()
        while self.step < self.plan.total_steps:
            try:
                context.raise_if_cancelled()
            except Cancelled:
                self.save()
                raise
            row, n_frames = self._one_step()
            self.history.steps.append(row)
            log.add("train", STEP_COLUMNS, row)
            context.progress(
                self.step,
                self.plan.total_steps,
                "training",
                loss=row[1],
                talker_loss=row[2],
                predictor_loss=row[3],
                lr=row[4],
                frames_per_s=clock.rate(n_frames),
            )
            if self._is_time_to_validate():
                scores = self.score(self.validation)
                self.history.validations.append([self.step, *scores])
                log.add("validation", VALIDATION_COLUMNS, self.history.validations[-1])
            if self.step % self.plan.save_every_steps == 0 or self.step == self.plan.total_steps:
                self.save()

    def save(self) -> None:
        """Write a checkpoint of the present step."""
        checkpoints.save(
            self.folder,
            checkpoints.capture(
                step=self.step,
                run=self.plan.run,
                parameters=self.parameters,
                optimiser=self.optimiser,
                history=self.history.as_dict(),
            ),
        )

    def score(self, examples: Sequence[Example]) -> tuple[float, float, float]:
        """Total, talker and code predictor loss on clips, nothing learnt; means over all their labels."""
        talker = predictor = 0.0
        n_talker = n_predictor = 0
        self.model.eval()
        with torch.no_grad():
            for indices in epoch_batches([e.length for e in examples], self.plan.batch_size, seed=0, epoch=0):
                batch = self._batch(examples, indices)
                with self.plan.autocast():
                    sums = loss_sums(predict(self.model, batch), batch)
                talker += float(sums.talker)
                predictor += float(sums.predictor)
                n_talker += sums.n_talker
                n_predictor += sums.n_predictor
        self.model.train()
        talker, predictor = talker / n_talker, predictor / n_predictor
        return talker + self.plan.code_predictor_weight * predictor, talker, predictor

    def _one_step(self) -> tuple[list[float], int]:
        """One optimiser step. Returns its row of the history and the frames learnt."""
        plan = self.plan
        batches = [self._batch(self.train, indices) for indices in self._clips_of_step()]
        n_talker = sum(batch.n_labels for batch in batches)
        n_frames = sum(batch.n_frames for batch in batches)
        n_predictor = n_frames * 15
        totals = torch.zeros(2, device=plan.device)
        for batch in batches:
            with plan.autocast():
                sums = loss_sums(predict(self.model, batch), batch)
            total_loss(
                sums,
                n_talker=n_talker,
                n_predictor=n_predictor,
                code_predictor_weight=plan.code_predictor_weight,
            ).backward()  # type: ignore[no-untyped-call]
            totals += torch.stack([sums.talker.detach() / n_talker, sums.predictor.detach() / n_predictor])
        talker, predictor = totals.tolist()
        loss = talker + plan.code_predictor_weight * predictor
        lr = learning_rate(self.step, peak=plan.lr, warmup_steps=plan.warmup_steps, total_steps=plan.total_steps)
        grad_norm = clip_gradients(self.parameters.values(), plan.max_grad_norm)
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            raise _diverged(self.step + 1, loss, grad_norm, lr)
        set_learning_rate(self.optimiser, lr)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return [self.step, loss, talker, predictor, lr, grad_norm], n_frames

    def _clips_of_step(self) -> list[list[int]]:
        epoch, position = divmod(self.step, self.plan.steps_per_epoch)
        if self._dealt[0] != epoch:
            batches = epoch_batches(self._lengths, self.plan.batch_size, seed=self.plan.seed, epoch=epoch)
            self._dealt = (epoch, optimiser_steps(batches, self.plan.accumulation))
        return self._dealt[1][position]

    def _batch(self, examples: Sequence[Example], indices: Sequence[int]) -> Batch:
        return lay_out([examples[index] for index in indices], self.ids).to(self.plan.device)

    def _is_time_to_validate(self) -> bool:
        if not self.validation:
            return False
        epoch, position = divmod(self.step, self.plan.steps_per_epoch)
        return self.step == self.plan.total_steps or (position == 0 and epoch % self.plan.validate_every_epochs == 0)


class _Clock:
    """Frames a second over the last stretch of steps."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._last = time.perf_counter()

    def rate(self, n_frames: int) -> float:
        now = time.perf_counter()
        newest = n_frames / max(1e-9, now - self._last)
        self._last = now
        self._rate = newest if self._rate == 0 else 0.9 * self._rate + 0.1 * newest
        return self._rate


def _diverged(step: int, loss: float, grad_norm: float, lr: float) -> UserError:
    return UserError(
        "training_diverged",
        f"Step {step}: loss {loss}, gradient norm {grad_norm}, at learning rate {lr:.3g}. That step was not made.",
        "Start again, in another out_dir, with a third of the lr, more warmup_steps, or max_grad_norm=0.5.",
    )
