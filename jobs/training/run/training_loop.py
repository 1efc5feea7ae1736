"""Training loop: forward, backward, optimiser step, validation and checkpoint."""

import hashlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler

from jobs.codec_format import N_CODEBOOKS
from jobs.errors import UserError
from jobs.qwen.train.loss import total_loss
from jobs.qwen.train.sequence_layout import Batch
from jobs.runner.worker.context import Cancelled, JobContext
from jobs.training.data.batch_sampler import LengthBatchSampler, MicroBatch
from jobs.training.extension import LENGTH, has_other_length
from jobs.training.loss_history import PROBE_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, LossHistory
from jobs.training.loss_logs import LossLogs
from jobs.training.params import Params
from jobs.training.planning.run_config import RunConfig
from jobs.training.planning.validation_times import is_time_to_export, is_time_to_validate
from jobs.training.run import checkpoint as checkpoints
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.model_setup import TrainableModel
from jobs.training.run.optimizer import learning_rate, set_learning_rate
from jobs.training.run.sharding import RunWeights
from jobs.training.run.throughput import ThroughputMeter
from jobs.training.run.validation import Scores, probe_row, score
from jobs.training.run.verdict import describe_progress, describe_stop
from jobs.training.run.weight_average import WeightAverage

logger = logging.getLogger(__name__)

INITIAL_LOSS_SCALE, MIN_LOSS_SCALE = 2.0**16, 1.0


class TrainingLoop:
    """State of one run: model, optimiser, losses and the number of steps done.

    Args:
        model: in training mode.
        weights: its trained weights, those of the optimizer.
    """

    def __init__(
        self,
        params: Params,
        config: RunConfig,
        sampler: LengthBatchSampler,
        model: TrainableModel,
        weights: RunWeights,
        optimiser: torch.optim.Optimizer,
        group: DistributedGroup,
        folder: Path,
        identity: dict[str, Any],
    ) -> None:
        self.params, self.config, self.sampler, self.identity = params, config, sampler, identity
        self.train, self.validation = model.train, model.validation
        self.group, self.optimiser, self.folder = group, optimiser, folder
        self.weights = weights
        self.average = WeightAverage(weights.own, params.ema_decay) if params.ema_decay else None
        self.history = LossHistory(probes=[probe_row(0, model.base_probe)])
        self.step = self.continued_from = self.saved_step = 0
        self.extended_at: list[int] = []
        self._forward = model.forward
        self._scaler = GradScaler(
            torch.device(group.device).type,
            init_scale=INITIAL_LOSS_SCALE,
            enabled=model.forward.precision.scales_loss,
        )
        self._scaler.scale(torch.ones(1, device=group.device))  # sets the scale up, also without a micro-batch
        self._has_warned = False
        self.keep_export: Callable[[int], None] | None = None
        """Writes the voice of the present step, where ``keep_exports`` asks for it."""

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one.

        Raises:
            UserError: ``checkpoint_of_another_run``: also when it has more steps than these parameters give.
        """
        found = checkpoints.newest(self.folder, self.identity, may_differ=LENGTH)
        if found is not None:
            own = self.weights.take_checkpoint(found, self.optimiser)
            checkpoints.restore(own, self.weights.own, self.optimiser, self.average)
            if found.scaler and self._scaler.is_enabled():
                self._scaler.load_state_dict(found.scaler)
            self.step = self.continued_from = self.saved_step = found.step
            self.history = LossHistory(**found.history)
            self.extended_at = [step for step in found.run.get("extended_at", []) if type(step) is int]
            if found.run.get("total_steps") != self.config.total_steps and has_other_length(
                {name: found.run.get(name) for name in self.identity}, self.identity
            ):
                self._extend(found.run.get("total_steps"))

    def _extend(self, total_before: int | None) -> None:
        """Go on with another number of steps than the run began with."""
        config = self.config
        if config.total_steps < self.step:
            raise UserError(
                "checkpoint_of_another_run",
                f"{self.folder} holds the state of step {self.step}; these parameters end at {config.total_steps}.",
                "Give more epochs or max_steps, or another out_dir.",
            )
        self.extended_at = [*self.extended_at, self.step]
        logger.info("extended at step %d from %s to %d steps", self.step, total_before, config.total_steps)

    @property
    def is_over(self) -> bool:
        """True at the last step, or after ``early_stop`` validations without an improvement."""
        n_worse = self.history.count_since_best(max(self.extended_at, default=0))
        return self.step >= self.config.total_steps or 0 < self.params.early_stop <= n_worse

    def run(self, context: JobContext, log: LossLogs | None) -> None:
        """Train to the end; save on the way, at the end, and before a cancellation takes effect."""
        meter = ThroughputMeter()
        while not self.is_over:
            self._stop_if_cancelled(context)
            row, n_frames = self._train_step()
            self.history.steps.append(row)
            if log is not None:
                log.add("train", STEP_COLUMNS, row)
            context.progress(
                self.step,
                self.config.total_steps,
                self._describe(),
                loss=row[1],
                talker_loss=row[2],
                predictor_loss=row[3],
                lr=row[4],
                frames_per_s=meter.update(n_frames),
            )
            is_kept = is_time_to_export(self.step, self.params, self.sampler)
            is_due = is_kept or is_time_to_validate(self.step, self.params, self.config, self.sampler)
            if self.validation and is_due:
                self._validate(context, log)
            if is_kept and self.keep_export is not None:
                context.progress(self.step, self.config.total_steps, f"writing the voice of step {self.step}")
                self.keep_export(self.step)
            if self.step % self.params.save_every_steps == 0 or self.is_over:
                self.save()

    def save(self) -> None:
        """Write a checkpoint of the current step."""
        state = checkpoints.Checkpoint(
            step=self.step,
            run=self.identity | {"total_steps": self.config.total_steps, "extended_at": self.extended_at},
            weights=self.weights.gather(),
            optimiser=self.weights.gather_state(self.optimiser, empty=not self.params.checkpoint_optimizer),
            history=vars(self.history),
            scaler=self._scaler.state_dict(),
            ema={} if self.average is None else self.weights.gather(self.average.weights),
        )
        if self.group.is_first:
            checkpoints.save(self.folder, state, keep=self.params.keep_checkpoints)
            if self.history.best:
                checkpoints.keep_only_best(self.folder, int(self.history.best[0]))
        self.group.barrier()
        self.saved_step = self.step

    def _describe(self) -> str:
        return describe_progress(self.history, continued_from=self.continued_from, saved_step=self.saved_step)

    def score(self) -> Scores:
        """Score the weights that the model has now on the held-out clips."""
        return score(
            self._forward,
            self.validation,
            self.group,
            batch_size=self.params.batch_size,
            code_predictor_weight=self.params.code_predictor_weight,
        )

    def score_average(self) -> float | None:
        """Return the validation loss of the averaged weights; None without them, or without held-out clips."""
        if self.average is None or not self.validation:
            return None
        with self.average.applied():
            return self.score().loss

    def _validate(self, context: JobContext, log: LossLogs | None) -> None:
        scores = self.score()
        found = scores.probe
        self.history.validations.append([self.step, scores.loss, scores.talker, scores.predictor])
        self.history.probes.append(probe_row(self.step, found))
        if log is not None:
            log.add("validation", VALIDATION_COLUMNS, self.history.validations[-1])
            log.add("probe", PROBE_COLUMNS, self.history.probes[-1])
        context.progress(self.step, self.config.total_steps, self._describe(), validation_loss=scores.loss)
        logger.info("step %d: validation loss %.4f, probe %s", self.step, scores.loss, found.verdict)
        if found.verdict == "misaligned" and not self._has_warned:
            self._has_warned = True
            logger.warning("step %d: the model now predicts the frame after the next one better: %s", self.step, found)
        if self.history.best is self.history.validations[-1]:
            weights = self.weights.gather()
            if self.group.is_first:
                checkpoints.save_best(self.folder, self.step, weights)

    def _train_step(self) -> tuple[list[float], int]:
        """Make one optimiser step. Returns its row of the history and the frames trained by all processes."""
        self.train.turn_to(self.step)
        micro_batches = self.sampler.micro_batches_of(self.step)
        config = self.config
        lr = learning_rate(
            self.step, peak=config.lr, warmup_steps=config.warmup_steps, total_steps=config.total_steps,
            schedule=self.params.lr_schedule, min_share=self.params.min_lr_share,
        )  # fmt: skip
        while True:
            talker, predictor = self._accumulate_gradients(micro_batches)
            loss = talker + self.params.code_predictor_weight * predictor
            self._scaler.unscale_(self.optimiser)
            grad_norm = self.weights.clip_gradients(self.params.max_grad_norm)
            if math.isfinite(loss) and math.isfinite(grad_norm):
                break
            if not math.isfinite(loss) or not self._lower_loss_scale():
                raise _diverged(self.step + 1, loss, grad_norm, lr, self._forward.precision.format)
        set_learning_rate(self.optimiser, lr)
        self._scaler.step(self.optimiser)
        self._scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        if self.average is not None:
            self.average.update(self.step)
        n_frames = sum(len(self.train[clip].codes) for indices in micro_batches for clip in indices)
        return [self.step, loss, talker, predictor, lr, grad_norm], n_frames

    def _accumulate_gradients(self, micro_batches: Sequence[MicroBatch]) -> tuple[float, float]:
        """Add the gradients of a step over its micro-batches and all processes. Returns talker and predictor loss."""
        frames = [sum(len(self.train[clip].codes) for clip in indices) for indices in micro_batches]
        n_talker = sum(frames) + sum(len(indices) for indices in micro_batches)  # an EOS per clip
        n_predictor = sum(self._n_predicted(n_frames) for n_frames in frames) * (N_CODEBOOKS - 1)
        totals = torch.zeros(2, device=self.group.device)
        for index, clips, counts in self.group.share(micro_batches):
            batch = self._training_batch(clips, index)
            sums = self._forward.losses(batch, with_predictor=self.params.code_predictor_weight > 0)
            loss = total_loss(
                sums,
                n_talker=n_talker,
                n_predictor=n_predictor,
                code_predictor_weight=self.params.code_predictor_weight,
            )
            self._scaler.scale(loss * counts).backward()  # type: ignore[no-untyped-call]
            if counts:
                totals += torch.stack([sums.talker.detach() / n_talker, sums.predictor.detach() / n_predictor])
        self.weights.sum_gradients()
        talker, predictor = self.group.sum_over_processes(totals).tolist()
        return talker, predictor

    def _lower_loss_scale(self) -> bool:
        """Discard gradients that overflowed float16 and halve the loss scale; False where that cannot help."""
        if not self._scaler.is_enabled() or self._scaler.get_scale() <= MIN_LOSS_SCALE:
            return False
        self._scaler.update(self._scaler.get_scale() / 2)  # also in a process whose own part has not overflowed
        self.optimiser.zero_grad(set_to_none=True)
        logger.debug("step %d: gradients overflowed; loss scale is now %g", self.step + 1, self._scaler.get_scale())
        return True

    def _training_batch(self, indices: MicroBatch, index: int) -> Batch:
        """Build the batch of a micro-batch.

        Random numbers (dropout, predicted frames) depend on seed, step and index alone, so a resumed run, or one that
        is divided among processes, draws the same.
        """
        seed = int.from_bytes(hashlib.sha256(f"{self.params.seed}/{self.step}/{index}".encode()).digest()[:7], "big")
        torch.manual_seed(seed)
        batch = self._forward.batch(self.train, indices)
        n_predicted = self._n_predicted(batch.n_frames)
        if n_predicted == batch.n_frames:
            return batch
        rng = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(batch.n_frames, generator=rng)[:n_predicted].sort().values
        return replace(batch, predicted=chosen.to(self.group.device))

    def _n_predicted(self, n_frames: int) -> int:
        return max(1, math.ceil(n_frames * self.params.predictor_share))

    def _stop_if_cancelled(self, context: JobContext) -> None:
        """Save and stop if any process was cancelled: all of them stop after the same step."""
        cancelled = torch.zeros(1, device=self.group.device)
        try:
            context.raise_if_cancelled()
        except Cancelled:
            cancelled += 1
        if float(self.group.sum_over_processes(cancelled)):
            self.save()
            context.progress(self.step, self.config.total_steps, describe_stop(self.step))
            raise Cancelled


def _diverged(step: int, loss: float, grad_norm: float, lr: float, number_format: str) -> UserError:
    return UserError(
        "training_diverged",
        f"Step {step}: loss {loss}, gradient norm {grad_norm}, at learning rate {lr:.3g}, in {number_format}. "
        "The step was skipped.",
        "Start again, in another out_dir, with a third of the lr, more warmup_steps, or max_grad_norm=0.5.",
    )
