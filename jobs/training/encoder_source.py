"""Choice of the speaker encoder of a run: the base's own, else that of the matching Base model."""

import logging
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import UserError
from jobs.qwen.hub import resolve_model
from jobs.qwen.model_files import read_model_config
from jobs.qwen.speaker_embedding import check_encoder_fits, has_speaker_encoder
from jobs.settings import Settings
from jobs.training.planning.encoder_plan import RELEASED_ENCODERS

logger = logging.getLogger(__name__)


def find_encoder(base: Path, encoder_from: str | None, speakers: Sequence[str], settings: Settings) -> Path | None:
    """Return the folder of the model whose speaker encoder a run uses; None: the base's own, or none is needed.

    A base of type custom_voice or voice_design has none. One that has all the speakers needs none either.

    Raises:
        UserError: ``speaker_encoder_missing``, ``speaker_encoder_mismatch``, and those of ``resolve_model``.
    """
    if has_speaker_encoder(base) and encoder_from is None:
        return None
    talker = read_model_config(base)["talker_config"]
    if encoder_from is None and set(speakers) <= set(talker.get("spk_id") or {}):
        return None
    ref = encoder_from or RELEASED_ENCODERS.get(talker["hidden_size"])
    if ref is None:
        raise UserError(
            "speaker_encoder_missing",
            f"{base} has no speaker encoder, and there is no released Base model of its width.",
            "Give encoder_from=BASE, a Base model of the same size.",
        )
    folder = resolve_model(ref, settings)
    check_encoder_fits(folder, base)
    logger.info("the speaker encoder is that of %s", ref)
    return folder
