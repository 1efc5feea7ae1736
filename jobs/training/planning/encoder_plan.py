"""Plan of the speaker encoder for a base that has none: whose it is, and what has to be downloaded for it."""

from pathlib import Path

from jobs.model_folders.contents import ModelFolder
from jobs.qwen.model_files import ENCODER_FILE, read_model_config
from jobs.settings import Settings
from jobs.training.params import Params

# By width of the talker: the released models of a size share it.
RELEASED_ENCODERS = {1024: "Qwen/Qwen3-TTS-12Hz-0.6B-Base", 2048: "Qwen/Qwen3-TTS-12Hz-1.7B-Base"}
WITHOUT_ENCODER = ("custom_voice", "voice_design")


def plan_encoder(params: Params, settings: Settings, width: int) -> str | None:
    """Say whose speaker encoder a run uses, where it is not the base's own; None: it is.

    Args:
        width: of the base's talker.
    """
    base = Path(params.base_model)
    if base.is_absolute():
        is_without = read_model_config(base).get("tts_model_type") in WITHOUT_ENCODER
        is_without = is_without and ModelFolder.at(base).find(ENCODER_FILE) is None
    else:
        is_without = params.base_model.endswith(("CustomVoice", "VoiceDesign"))
    if params.encoder_from is None and not is_without:
        return None
    ref = params.encoder_from or RELEASED_ENCODERS.get(width)
    if ref is None:
        return "none of this width is released: give encoder_from, unless the base has all speakers"
    is_here = Path(ref).is_absolute() or (settings.hub_cache / f"models--{ref.replace('/', '--')}").is_dir()
    return f"of {ref}" + ("" if is_here else ", to be downloaded whole")
