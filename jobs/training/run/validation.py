"""Validation: losses on held-out clips, and the probe of both alignments."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from jobs.qwen.train.alignment_probe import Probe, ProbeSums
from jobs.qwen.train.loss import loss_sums, predict
from jobs.qwen.train.sequence_layout import Example
from jobs.training.data.batch_sampler import scoring_batches
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.forward import Forward


@dataclass(frozen=True)
class Scores:
    """Mean losses in nats, and the probe."""

    loss: float
    talker: float
    predictor: float
    probe: Probe


def score(
    forward: Forward,
    examples: Sequence[Example],
    group: DistributedGroup,
    *,
    batch_size: int,
    code_predictor_weight: float,
) -> Scores:
    """Score clips without training on them; every process scores its share."""
    sums = torch.zeros(4, dtype=torch.float64)
    probe = ProbeSums()
    batches = scoring_batches([example.length for example in examples], batch_size)
    forward.model.eval()
    with torch.no_grad():
        for _, indices, counts in group.share(batches):
            batch = forward.batch(examples, indices)
            with forward.autocast():
                predictions = predict(forward.model, batch)
                if not counts:
                    continue
                found = loss_sums(predictions, batch)
                probe.add(predictions, batch)
            sums += torch.tensor([float(found.talker), found.n_talker, float(found.predictor), found.n_predictor])
    forward.model.train()
    numbers = torch.cat([sums, probe.sums, probe.counts]).to(group.device)
    talker, n_talker, predictor, n_predictor, *rest = group.sum_over_processes(numbers).tolist()
    probe.sums, probe.counts = torch.tensor(rest[:4]), torch.tensor(rest[4:])
    talker, predictor = talker / n_talker, predictor / n_predictor
    return Scores(talker + code_predictor_weight * predictor, talker, predictor, probe.result())


def probe_row(step: int, found: Probe) -> list[float]:
    """Return a row of ``LossHistory.probes``."""
    return [step, found.talker_next, found.talker_after, found.predictor_own, found.predictor_next]
