"""The training loop: forward, backward, step, save, and nothing that knows of files' contents or of tools."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.codec_format import N_CODEBOOKS
from jobs.errors import UserError
from jobs.qwen.train.alignment_probe import Probe, ProbeSums
from jobs.qwen.train.loss import loss_sums, predict, total_loss
from jobs.qwen.train.packing import pack
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, lay_out
from jobs.runner.worker.context import Cancelled, JobContext
from jobs.training.data.batch_sampler import Dealer, Pass, in_order
from jobs.training.run import checkpoint as checkpoints
from jobs.training.run.distributed import Team
from jobs.training.run.loss_history import PROBE_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, History, TensorBoardLog
from jobs.training.run.optim import Schedule, clip_gradients, learning_rate, set_learning_rate, trainable

logger = logging.getLogger(__name__)

VALIDATIONS_AT_MOST = 20  # a run of a thousand tiny epochs would do little else


@dataclass(frozen=True)
class Plan:
    """A run, resolved: no defaults left open. Steps are optimiser steps.

    Attributes:
        epochs: passes over the data that ``total_steps`` comes from.
        predicted_share: of the frames whose books 1 to 15 are learnt, over 0 to 1.
        validate_every_steps: None: at the ends of epochs.
        early_stop: validations without a better one after which the run ends; 0: never.
        run: what identifies the run: its parameters, data and base. Travels in every checkpoint.
    """

    dealer: Dealer
    total_steps: int
    epochs: int
    lr: float
    warmup_steps: int
    run: dict[str, Any]
    schedule: Schedule = "cosine"
    max_grad_norm: float = 1.0
    code_predictor_weight: float = 0.3
    predicted_share: float = 1.0
    packing: bool = False
    scoring_batch_size: int = 4
    validate_every_steps: int | None = None
    early_stop: int = 0
    save_every_steps: int = 200
    seed: int = 0

    def is_time_to_validate(self, step: int) -> bool:
        """True after ``step`` steps at the end of the run, and as often as was asked."""
        if step == self.total_steps:
            return True
        if self.validate_every_steps is not None:
            return step % self.validate_every_steps == 0
        epochs_done = self.dealer.ends_epoch(step)
        return epochs_done is not None and epochs_done % -(-self.epochs // VALIDATIONS_AT_MOST) == 0


class Training:
    """One run: holds the model, the optimiser and the losses, and steps through the plan.

    Args:
        plan: what to do.
        team: the processes that do it.
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
        team: Team,
        model: nn.Module,
        ids: ControlIds,
        train: Sequence[Example],
        validation: Sequence[Example],
        optimiser: torch.optim.Optimizer,
        folder: Path,
    ) -> None:
        self.plan, self.team, self.model, self.ids = plan, team, model, ids
        self.train, self.validation = train, validation
        self.optimiser, self.folder = optimiser, folder
        self.parameters = trainable(model)
        self.history = History()
        self.step = 0
        self._has_warned = False

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        found = checkpoints.newest(self.folder, self.plan.run)
        if found is not None:
            checkpoints.restore(found, self.parameters, self.optimiser)
            self.step = found.step
            self.history = History(**found.history)

    @property
    def is_over(self) -> bool:
        """At the end of the plan, or when it was agreed to stop because validation has ceased to get better."""
        patience = self.plan.early_stop
        return self.step >= self.plan.total_steps or 0 < patience <= self.history.validations_since_best

    def run(self, context: JobContext, log: TensorBoardLog | None) -> None:
        """Step to the end of the plan, saving on the way, at the end, and before a cancel takes effect."""
        clock = _Clock()
        while not self.is_over:
            self._stop_if_asked(context)
            row, n_frames = self._one_step()
            self.history.steps.append(row)
            if log is not None:
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
            if self.validation and self.plan.is_time_to_validate(self.step):
                self._validate(context, log)
            if self.step % self.plan.save_every_steps == 0 or self.is_over:
                self.save()

    def save(self) -> None:
        """Write a checkpoint of the present step."""
        if self.team.is_first:
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
            if self.history.best:
                checkpoints.forget_best_but(self.folder, int(self.history.best[0]))
        self.team.wait_for_all()

    def score(self, examples: Sequence[Example]) -> tuple[tuple[float, float, float], Probe]:
        """Total, talker and code predictor loss on clips, and the probe of both alignments; nothing is learnt."""
        sums = torch.zeros(4, dtype=torch.float64)
        probe = ProbeSums()
        passes = in_order([example.length for example in examples], self.plan.scoring_batch_size)
        self.model.eval()
        with torch.no_grad():
            for indices in passes[self.team.rank :: self.team.size]:
                batch = self._batch(examples, indices)
                with self._autocast():
                    predictions = predict(self.model, batch)
                    found = loss_sums(predictions, batch)
                probe.add(predictions, batch)
                sums += torch.tensor([float(found.talker), found.n_talker, float(found.predictor), found.n_predictor])
        self.model.train()
        numbers = torch.cat([sums, probe.sums, probe.counts]).to(self.team.device)
        talker, n_talker, predictor, n_predictor, *rest = self.team.add_up(numbers).tolist()
        probe.sums, probe.counts = torch.tensor(rest[:4]), torch.tensor(rest[4:])
        talker, predictor = talker / n_talker, predictor / n_predictor
        return (talker + self.plan.code_predictor_weight * predictor, talker, predictor), probe.result()

    def _validate(self, context: JobContext, log: TensorBoardLog | None) -> None:
        scores, found = self.score(self.validation)
        self.history.validations.append([self.step, *scores])
        self.history.probes.append(probe_row(self.step, found))
        if log is not None:
            log.add("validation", VALIDATION_COLUMNS, self.history.validations[-1])
            log.add("probe", PROBE_COLUMNS, self.history.probes[-1])
        context.progress(self.step, self.plan.total_steps, "validated", validation_loss=scores[0])
        logger.info("step %d: validation loss %.4f, probe %s", self.step, scores[0], found.verdict)
        if found.verdict == "misaligned" and not self._has_warned:
            self._has_warned = True
            logger.warning("step %d: the model now predicts the frame after the next one better: %s", self.step, found)
        if self.history.best is self.history.validations[-1] and self.team.is_first:
            checkpoints.save_best(self.folder, self.step, self.parameters)

    def _one_step(self) -> tuple[list[float], int]:
        """One optimiser step. Returns its row of the history and the frames learnt by all processes."""
        plan, device = self.plan, self.team.device
        passes = plan.dealer.passes_of(self.step)
        frames = [sum(len(self.train[clip].codes) for clip in indices) for indices in passes]
        n_talker = sum(frames) + sum(len(indices) for indices in passes)  # an EOS a clip
        n_predictor = sum(self._n_predicted(n_frames) for n_frames in frames) * (N_CODEBOOKS - 1)
        totals = torch.zeros(2, device=device)
        for place in range(self.team.rank, len(passes), self.team.size):
            batch = self._learning_batch(passes[place], place)
            with self._autocast():
                sums = loss_sums(predict(self.model, batch), batch)
            total_loss(
                sums,
                n_talker=n_talker,
                n_predictor=n_predictor,
                code_predictor_weight=plan.code_predictor_weight,
            ).backward()  # type: ignore[no-untyped-call]
            totals += torch.stack([sums.talker.detach() / n_talker, sums.predictor.detach() / n_predictor])
        self.team.add_gradients(self.parameters.values())
        talker, predictor = self.team.add_up(totals).tolist()
        loss = talker + plan.code_predictor_weight * predictor
        lr = learning_rate(
            self.step, peak=plan.lr, warmup_steps=plan.warmup_steps, total_steps=plan.total_steps,
            schedule=plan.schedule,
        )  # fmt: skip
        grad_norm = clip_gradients(self.parameters.values(), plan.max_grad_norm)
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            raise _diverged(self.step + 1, loss, grad_norm, lr)
        set_learning_rate(self.optimiser, lr)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return [self.step, loss, talker, predictor, lr, grad_norm], sum(frames)

    def _learning_batch(self, indices: Pass, place: int) -> Batch:
        """The batch of a pass; all its dice (dropout, subset) are thrown by seed, step and place alone.

        So a run that was resumed, or is shared by several processes, throws the same.
        """
        seed = int.from_bytes(hashlib.sha256(f"{self.plan.seed}/{self.step}/{place}".encode()).digest()[:7], "big")
        torch.manual_seed(seed)
        batch = self._batch(self.train, indices)
        n_predicted = self._n_predicted(batch.n_frames)
        if n_predicted == batch.n_frames:
            return batch
        dice = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(batch.n_frames, generator=dice)[:n_predicted].sort().values
        return replace(batch, predicted=chosen.to(self.team.device))

    def _n_predicted(self, n_frames: int) -> int:
        return max(1, math.ceil(n_frames * self.plan.predicted_share))

    def _batch(self, examples: Sequence[Example], indices: Sequence[int]) -> Batch:
        chosen = [examples[index] for index in indices]
        batch = lay_out(chosen, self.ids)
        if self.plan.packing:
            batch = pack(batch, [example.length for example in chosen])
        return batch.to(self.team.device)

    def _autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 arithmetic on a GPU that has it, over float32 weights; plain float32 on a CPU."""
        return autocast_on(self.team.device)()

    def _stop_if_asked(self, context: JobContext) -> None:
        """Save and leave when any of the processes was asked to: all do so after the same step."""
        asked = torch.zeros(1, device=self.team.device)
        try:
            context.raise_if_cancelled()
        except Cancelled:
            asked += 1
        if float(self.team.add_up(asked)):
            self.save()
            raise Cancelled


def autocast_on(device: str) -> Callable[[], AbstractContextManager[Any]]:
    """The arithmetic of a device."""
    if device != "cpu" and torch.cuda.is_bf16_supported():
        return lambda: torch.autocast("cuda", torch.bfloat16)
    return nullcontext


def probe_row(step: int, found: Probe) -> list[float]:
    """A row of ``History.probes``."""
    return [step, found.talker_next, found.talker_after, found.predictor_own, found.predictor_next]


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
