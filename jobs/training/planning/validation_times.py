"""Steps after which a run is validated, and the rule that ends it early."""

from jobs.training.data.batch_sampler import LengthBatchSampler
from jobs.training.params import Params
from jobs.training.planning.run_config import RunConfig

MOST_VALIDATIONS = 20  # by default, so that a run of a thousand tiny epochs does not spend its time on validation
PARTS_OF_EPOCH = 4  # so that a run of one or two epochs can end early
SHORTEST_PART = 25  # steps; a shorter part changes the loss by less than its noise


def is_time_to_validate(step: int, params: Params, config: RunConfig, sampler: LengthBatchSampler) -> bool:
    """Return whether the model is validated after ``step`` steps: at the end in any case."""
    if step == config.total_steps:
        return True
    if params.validate_every_steps is not None:
        return step % params.validate_every_steps == 0
    epoch, index = sampler.locate(step - 1)
    done, of = index + 1, len(sampler.epoch(epoch))
    if done == of:
        return (epoch + 1) % _epochs_between(config, sampler) == 0
    parts = _parts_of_epoch(config, sampler)
    return done * parts // of > index * parts // of


def is_time_to_export(step: int, params: Params, sampler: LengthBatchSampler) -> bool:
    """Return whether the voice of a step is kept, see ``keep_exports``."""
    if params.keep_exports == "epoch":
        epoch, index = sampler.locate(step - 1)
        return index + 1 == len(sampler.epoch(epoch))
    return bool(params.keep_exports) and step % int(params.keep_exports) == 0


def count_exports(params: Params, config: RunConfig, sampler: LengthBatchSampler) -> int:
    """Count the voices that ``keep_exports`` keeps."""
    if params.keep_exports == "epoch":
        return _n_epochs(config, sampler)
    return config.total_steps // int(params.keep_exports) if params.keep_exports else 0


def describe_validation(params: Params, config: RunConfig, sampler: LengthBatchSampler) -> str:
    """Describe for a plan when a run is validated and when it ends early."""
    parts, between = _parts_of_epoch(config, sampler), _epochs_between(config, sampler)
    if params.validate_every_steps is not None:
        times = f"every {params.validate_every_steps} steps"
    elif parts > 1:
        times = f"{parts} times an epoch"
    else:
        times = "after every epoch" if between == 1 else f"after every {between} epochs"
    patience = params.early_stop
    return times + (
        f"; the run ends after {patience} that are not better" if patience else "; the run never ends early"
    )


def _epochs_between(config: RunConfig, sampler: LengthBatchSampler) -> int:
    return -(-_n_epochs(config, sampler) // MOST_VALIDATIONS)


def _parts_of_epoch(config: RunConfig, sampler: LengthBatchSampler) -> int:
    n_steps = sampler.total_steps(1)
    return max(1, min(PARTS_OF_EPOCH, n_steps // SHORTEST_PART, MOST_VALIDATIONS // _n_epochs(config, sampler)))


def _n_epochs(config: RunConfig, sampler: LengthBatchSampler) -> int:
    """Return the epochs that a run begins, which ``max_steps`` may end early."""
    return min(config.epochs, -(-config.total_steps // sampler.total_steps(1)))
