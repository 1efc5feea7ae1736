"""Speaker embedding: the vector for a voice, computed from reference audio or read from a voice's speaker slot.

It is constant during a run: computed once in float32, averaged over the reference clips, put into every training
sequence and saved in the export's speaker slot. As in generation, it is neither projected nor normalised.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.errors import UserError
from jobs.model_folders.checked_loading import loading_explained
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import check_tensors, read_header
from jobs.qwen.model_files import ENCODER_FILE, read_model_config
from jobs.qwen.safetensors_io import read_tensors, weight_files
from jobs.qwen.upstream import qwen_tts

logger = logging.getLogger(__name__)

ENCODER_PREFIX = "speaker_encoder."
SHORTEST_REFERENCE_S = 0.5
MIN_COSINE_TO_MEAN = 0.5  # below it a reference is reported as unlike the others; our judgement


def speaker_embedding(
    folder: Path, config: Any, speaker: str, references: Sequence[Path], encoder_folder: Path | None = None
) -> torch.Tensor:
    """Read or compute the vector of a voice.

    Args:
        speaker: name, lower case. If the model has a slot of that name, its vector is returned.
        references: clips of the speaker; without a slot, the mean of their embeddings is returned.
        encoder_folder: model whose speaker encoder computes them, for a model without one of its own.

    Returns:
        (hidden,) float32 on the CPU.

    Raises:
        UserError: ``speaker_encoder_missing``, ``reference_too_short``, or what reading audio raises.
    """
    slot = dict(config.talker_config.spk_id).get(speaker)
    if slot is not None:
        return _slot_embedding(folder, int(slot))
    encoder = load_speaker_encoder(encoder_folder or folder)
    if encoder is None:
        known = ", ".join(sorted(config.talker_config.spk_id)) or "none"
        raise UserError(
            "speaker_encoder_missing",
            f"{folder} is a voice without speaker encoder, and has no speaker {speaker!r} (it has: {known}).",
            "Give encoder_from=BASE, a Base model of the same size; or name one of its speakers.",
        )
    return _mean_embedding(encoder, references)


def _mean_embedding(encoder: Any, references: Sequence[Path]) -> torch.Tensor:
    """Compute the mean over the usable clips; an unusable clip is logged, and an error only if no other is left."""
    embeddings: dict[Path, torch.Tensor] = {}
    last_error: UserError | None = None
    for path in references:
        try:
            embeddings[path] = _embed_clip(encoder, path)
        except UserError as error:
            logger.warning("reference %s is not used: %s", path, error)
            last_error = error
    if not embeddings:
        raise last_error or UserError("ref_audio_missing", "No reference clip was given.", "Give references.")
    mean = torch.stack(list(embeddings.values())).mean(0)
    for path, embedding in embeddings.items():
        likeness = float(torch.cosine_similarity(embedding, mean, dim=0))
        logger.info("reference %s: cosine to the mean %.3f", path.name, likeness)
        if len(embeddings) > 2 and likeness < MIN_COSINE_TO_MEAN:
            logger.warning("%s sounds unlike the other references (cosine %.2f): is it another voice?", path, likeness)
    return mean


def encoder_files(folder: Path) -> list[Path]:
    """List the safetensors files that may hold the speaker encoder.

    Raises:
        UserError: as ``weight_files``.
    """
    kept = ModelFolder.at(folder).find(ENCODER_FILE)
    return weight_files(folder) if kept is None else [kept]


def has_speaker_encoder(folder: Path) -> bool:
    """Return whether a model's folder holds a speaker encoder: those of type custom_voice and voice_design do not.

    Raises:
        UserError: as ``encoder_files``.
    """
    return any(name.startswith(ENCODER_PREFIX) for file in encoder_files(folder) for name in read_header(file))


def encoder_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of a model's speaker encoder.

    Raises:
        UserError: as ``read_model_config``.
    """
    return dict(read_model_config(folder).get("speaker_encoder_config") or {})


def check_encoder_fits(encoder_folder: Path, base: Path) -> None:
    """Check that a model's speaker encoder gives vectors as wide as another model's talker.

    Raises:
        UserError: ``speaker_encoder_missing``, ``speaker_encoder_mismatch``.
    """
    if not has_speaker_encoder(encoder_folder):
        raise UserError(
            "speaker_encoder_missing",
            f"{encoder_folder} has no speaker encoder.",
            "Give encoder_from=BASE, a Base model.",
        )
    width = read_model_config(base)["talker_config"]["hidden_size"]
    found = encoder_config(encoder_folder).get("enc_dim", 1024)  # the default of upstream's class
    if found != width:
        raise UserError(
            "speaker_encoder_mismatch",
            f"The speaker encoder of {encoder_folder} gives {found} figures, and the talker of {base} takes {width}.",
            "Give encoder_from=BASE, the Base model of the same size.",
        )


def load_speaker_encoder(folder: Path) -> Any | None:
    """Load the speaker encoder of a base model or exported voice, and nothing else, in float32; None: there is none.

    Raises:
        UserError: ``model_broken``: its weights do not fit the configuration.
    """
    found = {
        name.removeprefix(ENCODER_PREFIX): tensor
        for file in encoder_files(folder)
        for name, tensor in read_header(file).items()
        if name.startswith(ENCODER_PREFIX)
    }
    if not found:
        return None
    models = qwen_tts().core.models
    from transformers.modeling_utils import no_init_weights

    # To draw weights on "meta" imports sympy, 0.5 CPU-seconds, and all of them are read below.
    with loading_explained(folder), torch.device("meta"), no_init_weights():
        config = models.configuration_qwen3_tts.Qwen3TTSSpeakerEncoderConfig(**encoder_config(folder))
        encoder = models.modeling_qwen3_tts.Qwen3TTSSpeakerEncoder(config)
    check_tensors({name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}, found, folder)
    weights = read_tensors(encoder_files(folder), ENCODER_PREFIX)
    encoder.load_state_dict({name.removeprefix(ENCODER_PREFIX): each.float() for name, each in weights}, assign=True)
    return encoder.requires_grad_(False).eval()


def _slot_embedding(folder: Path, row: int) -> torch.Tensor:
    name = "talker.model.codec_embedding.weight"
    table = dict(read_tensors(weight_files(folder), name))[name]
    return table[row].float().clone()


def _embed_clip(encoder: Any, path: Path) -> torch.Tensor:
    samples = read_clip(path, CLIP_RATE_HZ)
    if len(samples) < SHORTEST_REFERENCE_S * CLIP_RATE_HZ:
        raise UserError(
            "reference_too_short",
            f"{path} lasts {len(samples) / CLIP_RATE_HZ:.2f} s; a reference needs at least {SHORTEST_REFERENCE_S} s.",
            "Give convert_codes a ref_audio of 3 to 10 s.",
        )
    if not np.isfinite(samples).all():
        raise UserError("reference_broken", f"The reference {path} holds samples that are not finite.", "Fix the file.")
    modeling = qwen_tts().core.models.modeling_qwen3_tts
    # settings of upstream's extract_speaker_embedding
    mels = modeling.mel_spectrogram(
        torch.from_numpy(samples)[None],
        n_fft=1024,
        num_mels=128,
        sampling_rate=CLIP_RATE_HZ,
        hop_size=256,
        win_size=1024,
        fmin=0,
        fmax=12000,
    ).transpose(1, 2)
    with torch.no_grad():
        embedding: torch.Tensor = encoder(mels)[0]
    return embedding
