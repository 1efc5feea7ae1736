"""Work of ``start_training``: a coded manifest and a base model become a voice.

All files are under ``out_dir``: ``voice/`` (the export), ``adapter/`` (LoRA), ``checkpoints/``, ``tensorboard/``,
``logs/`` (of other services), ``loss.png``, ``report.json``. The work may be killed at any time and started again with
the same parameters.
"""

import gc
import logging
from functools import partial
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.dataset.audio_roots import AudioRoots
from jobs.files.folders import make_folder
from jobs.files.own_files import remove_own
from jobs.model_folders.contents import ModelFolder
from jobs.qwen.codec_identity import identify_tokenizer
from jobs.qwen.devices import describe_device, keep_freed_memory
from jobs.qwen.hub import resolve_model
from jobs.qwen.model_files import CODEC, read_model_config
from jobs.qwen.model_info import instruct_refused, takes_instruct
from jobs.qwen.precision import DeviceInfo
from jobs.qwen.train.arithmetic import attention_kernel, deterministic
from jobs.runner.worker.context import JobContext
from jobs.training.data.codec_match import check_tokenizer_of
from jobs.training.data.dataset import Dataset, log_split, read_dataset
from jobs.training.data.manifest_scan import ClipSize, n_instruct_characters
from jobs.training.data.sample_weights import weigh_clips
from jobs.training.encoder_source import find_encoder
from jobs.training.extension import CHECKPOINTS, adopt_state
from jobs.training.loss_logs import open_logs
from jobs.training.params import Params, Result
from jobs.training.planning.cheaper_settings import check_fits
from jobs.training.planning.memory_fit import available_memory
from jobs.training.planning.model_dims import ModelDims
from jobs.training.planning.run_config import make_sampler, resolve_run_config
from jobs.training.planning.validation_times import count_exports
from jobs.training.run import checkpoint as checkpoints
from jobs.training.run.distributed import DistributedGroup
from jobs.training.run.model_setup import TrainableModel, identify_run, setup_model
from jobs.training.run.optimizer import make_optimiser, trainable
from jobs.training.run.resource_errors import check_disk, explain_full_disk, explain_full_gpu
from jobs.training.run.sharding import RunWeights
from jobs.training.run.training_loop import TrainingLoop
from jobs.training.run_outputs import (
    EXPORTS,
    KEPT_EXPORTS,
    Run,
    describe_result,
    export,
    find_finished,
    keep_export,
    publish,
    write_samples_and_page,
)

logger = logging.getLogger(__name__)

REJECTED = "rejected_rows.jsonl"


def run(params: Params, context: JobContext, *, device: DeviceInfo | None = None) -> Result:
    """Train a voice: ``setup_data``, ``setup_model``, ``setup_loop``, train, ``export``.

    Args:
        device: description of the device that decides the number format, instead of the real device's.

    Raises:
        UserError: ``model_*``, ``manifest_*``, ``too_many_bad_rows``, ``train_split_empty``, ``several_speakers``,
            ``tokenizer_mismatch``, ``instruct_not_supported``, ``speaker_encoder_*``,
            ``base_misaligned``, ``checkpoint_of_another_run``, ``nothing_to_extend``,
            ``training_diverged``, ``out_dir_taken``, ``memory_too_small``, ``cuda_oom``, ``disk_full``,
            ``dtype_unavailable``, ``attention_unavailable``, ``sample_weight_unknown``.
    """
    out = Path(params.out_dir) if params.out_dir else context.folder / "out"
    group = DistributedGroup.join(params.n_processes, is_sharded=params.fsdp)
    if group.device == "cpu":
        keep_freed_memory(recomputes=params.gradient_checkpointing)
    with explain_full_disk(out):
        make_folder(out)
        context.progress(0, None, "reading the manifest")
        base = resolve_model(params.base_model, context.settings)
        dataset = setup_data(params, context, base, out, group)
        encoder = find_encoder(base, params.encoder_from, dataset.speakers, context.settings)
        started = Run(params, dataset, base, identify_run(params, dataset, base, encoder), out, encoder)
        dims = ModelDims.from_config(read_model_config(base))
        clips = [
            ClipSize(len(clip.codes), len(clip.text) + n_instruct_characters(clip.instruct)) for clip in dataset.train
        ]
        result = find_finished(out, started.identity) if params.resume else None
        if result is None and group.is_first:
            check_memory(params, context, dims, clips, group)
        if result is None and params.extend is not None and group.is_first:
            adopt_state(params.extend, out)
        group.barrier()  # all processes have looked for a finished run before the first one changes files
        if not params.resume and group.is_first:
            checkpoints.discard(out / CHECKPOINTS)
        if result is None:
            with explain_full_gpu(params, dims, clips), deterministic(params.deterministic):
                result = train_voice(started, context, group, device or describe_device(group.device))
        gc.collect()  # the model, whose layers hold themselves by their ``forward``: samples need its memory
        if group.is_first:
            write_samples_and_page(started, result, context)
            publish(result, context, out)
    return result


def train_voice(run: Run, context: JobContext, group: DistributedGroup, device: DeviceInfo) -> Result:
    """Set up model, optimiser and loop, train, and export."""
    context.progress(0, None, "loading the base model")
    model = setup_model(run.params, run.dataset, run.base, group, device, run.encoder)
    loop = setup_loop(run, model, group)
    loop.keep_export = partial(keep_export, run, model, loop)
    if loop.step == 0 and group.is_first:
        remove_own(run.out / EXPORTS, KEPT_EXPORTS)  # of another run
    names = run.params.log_to if group.is_first else []
    with open_logs(names, run.out, loop.step, run.identity) as log, attention_kernel(run.params.attention):
        loop.run(context, log)
    result = describe_result(run, model, loop)
    context.progress(loop.step, loop.config.total_steps, "writing the voice")
    export(run, model, loop, result)
    return result


def setup_data(params: Params, context: JobContext, base: Path, out: Path, group: DistributedGroup) -> Dataset:
    """Read the manifest, and publish the list of rejected lines, also when reading fails."""
    config = read_model_config(base)
    talker: dict[str, Any] = config["talker_config"]
    rejected = out / REJECTED if group.is_first else None
    try:
        dataset = read_dataset(
            Path(params.manifest),
            speaker=params.speaker,
            languages=list(talker["codec_language_id"]),
            codebook_size=talker["code_predictor_config"]["vocab_size"],
            max_clip_s=params.max_clip_s,
            max_bad_share=params.max_bad_share,
            validation_share=params.validation_share,
            references=[Path(path) for path in params.references],
            n_speaker_clips=params.speaker_clips,
            rejected_to=rejected,
            roots=AudioRoots.of(context.settings),
        )
    finally:
        if rejected is not None and rejected.is_file():
            context.publish(REJECTED, rejected, "report")
    clips = [*dataset.train, *dataset.validation]
    highest, n_codes = max(int(clip.codes.max()) for clip in clips), sum(clip.codes.numel() for clip in clips)
    own = identify_tokenizer(ModelFolder.at(base).inner(CODEC), params.base_model)
    check_tokenizer_of(Path(params.manifest), dataset.tokenizers, highest, n_codes, own, params.base_model)
    if any(clip.instruct.strip() for clip in clips) and not takes_instruct(config):
        raise instruct_refused(params.base_model)
    weigh_clips(params.sample_weights, [(clip.speaker, clip.language) for clip in dataset.train])  # are names known?
    log_split(dataset)
    return dataset


def setup_loop(run: Run, model: TrainableModel, group: DistributedGroup) -> TrainingLoop:
    """Resolve the settings, make optimiser and loop, and resume from a checkpoint."""
    params = run.params
    weights = weigh_clips(params.sample_weights, [(clip.speaker, clip.language) for clip in run.dataset.train])
    sampler = make_sampler(params, [example.length for example in model.train], weights)
    speech_s = sum(len(example.codes) for example in model.train) / FRAMES_PER_SECOND
    config = resolve_run_config(params, sampler, speech_s)
    trained = RunWeights(model.model, group)
    optimiser = make_optimiser(
        model.model, lr=config.lr, weight_decay=params.weight_decay, name=params.optimizer, own=trained.own
    )
    check_disk(run.out, model.model, run.base, params, count_exports(params, config, sampler))
    identity = run.identity | run.dataset.split_identity
    loop = TrainingLoop(params, config, sampler, model, trained, optimiser, group, run.out / CHECKPOINTS, identity)
    loop.resume()
    logger.info(
        "%d clips, %d of %d steps done, %d weights are trained, %.1f %% of the positions are padding",
        len(model.train), loop.step, config.total_steps, sum(p.numel() for p in trainable(model.model).values()),
        0 if params.packing else 100 * sampler.padding_share(),
    )  # fmt: skip
    return loop


def check_memory(
    params: Params, context: JobContext, dims: ModelDims, clips: list[ClipSize], group: DistributedGroup
) -> None:
    """Refuse a run whose weights and steps do not fit, before weights are loaded."""
    memory = available_memory(context.settings, group.size, on_cpu=group.device == "cpu")
    if memory is not None:
        found = check_fits(params, dims, clips, memory, is_running=True)
        logger.info("estimated use: %.2f GB of %.2f GB: %s", found.peak / 1e9, memory.total / 1e9, memory.name)
