"""Languages, default alignment models, number formats, a check whether a model is on the disk; imports no library."""

from pathlib import Path
from typing import Literal

from jobs.errors import UserError
from jobs.files.user_folder import expand_user

ComputeType = Literal["auto", "int8", "int8_float16", "int8_float32", "float16", "bfloat16", "float32"]
# whisperx 3.8.6, whisperx/alignment.py, for the languages that Qwen3-TTS speaks: torchaudio's bundles by name,
# the others by hub id. Kept here because importing whisperx to look up a name costs 10 to 20 s.
DEFAULT_MODELS = {
    "en": "WAV2VEC2_ASR_BASE_960H",
    "fr": "VOXPOPULI_ASR_BASE_10K_FR",
    "de": "VOXPOPULI_ASR_BASE_10K_DE",
    "es": "VOXPOPULI_ASR_BASE_10K_ES",
    "it": "VOXPOPULI_ASR_BASE_10K_IT",
    "ja": "jonatasgrosman/wav2vec2-large-xlsr-53-japanese",
    "zh": "jonatasgrosman/wav2vec2-large-xlsr-53-chinese-zh-cn",
    "pt": "jonatasgrosman/wav2vec2-large-xlsr-53-portuguese",
    "ru": "jonatasgrosman/wav2vec2-large-xlsr-53-russian",
    "ko": "kresnik/wav2vec2-large-xlsr-korean",
}
# Of those bundles, the file under checkpoints/ in torch's hub folder (torchaudio 2.8).
BUNDLE_FILES = {
    "WAV2VEC2_ASR_BASE_960H": "wav2vec2_fairseq_base_ls960_asr_ls960.pth",
    "VOXPOPULI_ASR_BASE_10K_FR": "wav2vec2_voxpopuli_base_10k_asr_fr.pt",
    "VOXPOPULI_ASR_BASE_10K_DE": "wav2vec2_voxpopuli_base_10k_asr_de.pt",
    "VOXPOPULI_ASR_BASE_10K_ES": "wav2vec2_voxpopuli_base_10k_asr_es.pt",
    "VOXPOPULI_ASR_BASE_10K_IT": "wav2vec2_voxpopuli_base_10k_asr_it.pt",
}


def is_on_disk(name: str, torch_hub: Path, hub_cache: Path, bundle_file: str | None = None) -> bool:
    """True when a model (directory, hub id or torchaudio bundle) loads without network.

    ``bundle_file`` is the checkpoint of a bundle that is not in ``BUNDLE_FILES``.
    """
    if expand_user(name).is_dir():
        return (expand_user(name) / "config.json").is_file()
    if "/" in name:
        snapshots = (hub_cache / f"models--{name.replace('/', '--')}" / "snapshots").glob("*/config.json")
        return any(
            (config.parent / weights).is_file()
            for config in snapshots
            for weights in ("model.safetensors", "pytorch_model.bin")
        )
    file = BUNDLE_FILES.get(name) or bundle_file
    return file is not None and (torch_hub / "checkpoints" / file).is_file()


CODES = {
    "english": "en",
    "chinese": "zh",
    "japanese": "ja",
    "korean": "ko",
    "german": "de",
    "french": "fr",
    "russian": "ru",
    "portuguese": "pt",
    "spanish": "es",
    "italian": "it",
}
NAMES = {code: name for name, code in CODES.items()}


def language_code(language: str | None) -> str | None:
    """Two-letter code of a language given by name or code; None for ``auto`` and None (detect it).

    Raises ``UserError``: ``language_unknown``.
    """
    if language is None or language.lower() == "auto":
        return None
    name = language.strip().lower()
    if name in NAMES:
        return name
    if name not in CODES:
        raise UserError(
            "language_unknown",
            f"{language!r} is not a language that Qwen3-TTS speaks.",
            f"Use one of: {', '.join(CODES)}; or auto.",
        )
    return CODES[name]
