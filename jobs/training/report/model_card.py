"""Records of a run: the card in the voice's folder, and ``report.json`` next to it."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from jobs.codec_format import FRAMES_PER_SECOND
from jobs.files.atomic_io import encode
from jobs.qwen.model_files import CARD_BYTES, read_card, read_model_config
from jobs.qwen.model_info import read_speaker_languages, takes_instruct
from jobs.qwen.speech.take_length import measure_rates
from jobs.runner.provenance import provenance
from jobs.training.data.dataset import Dataset
from jobs.training.loss_history import PROBE_COLUMNS, STEP_COLUMNS, VALIDATION_COLUMNS, LossHistory
from jobs.training.params import Params, Result

UNKNOWN_RIGHTS = (
    "The owner of this voice and the extent of the consent are not recorded. Use a voice only with the consent of the "
    "person it belongs to."
)
_PACKAGES = ("torch", "transformers", "peft", "qwen-tts")


def voice_card(
    params: Params,
    identity: dict[str, Any],
    dataset: Dataset,
    base: Path,
    base_report: dict[str, Any],
    history: LossHistory,
    step: int,
) -> dict[str, Any]:
    """Build ``tts_train.json``: all that is needed to repeat the training, and the data it used.

    What would make it longer than a card that is read is left out: the base's card, then the probes.
    """
    card = {
        "made_by": "tts-train",
        "speakers": dataset.speakers,
        "base_model": params.base_model,
        "base_card": read_card(base),
        "run": identity,
        "n_clips": len(dataset.train),
        "speech_s": sum(len(clip.codes) for clip in dataset.train) / FRAMES_PER_SECOND,
        "languages": sorted({clip.language for clip in dataset.train}),
        "speaker_languages": speaker_languages(base, dataset),
        "s_per_character": measure_rates(
            [(clip.language, clip.text, len(clip.codes) / FRAMES_PER_SECOND) for clip in dataset.train]
        ),
        "references": {name: [path.name for path in paths] for name, paths in dataset.references.items()},
        "base_check": base_report,
        "steps": step,
        "first_loss": history.first_loss,
        "last_loss": history.last_loss,
        "validation_loss": history.validation_loss_at(step),
        "probes": {"columns": PROBE_COLUMNS, "rows": history.probes},
        "packages": {name: version(name) for name in _PACKAGES},
        "rights": params.rights or UNKNOWN_RIGHTS,
        "made_with": provenance("ml"),
    }
    return shorten_card(card)


def shorten_card(card: dict[str, Any]) -> dict[str, Any]:
    """Leave out the base's card, then the probes, of a card that would be too long to be read."""
    for name in ("base_card", "probes"):
        if len(encode(card)) > CARD_BYTES:
            card = {**card, name: None}
    return card


def preset_speakers(base: Path, dataset: Dataset) -> list[str]:
    """List the speakers of a base that stay in the voice as they are."""
    return sorted(set(read_model_config(base)["talker_config"].get("spk_id") or {}) - set(dataset.speakers))


def speaker_languages(base: Path, dataset: Dataset) -> dict[str, str]:
    """Return the language of each speaker that was trained on a single one, in this run or in that of the base."""
    kept = preset_speakers(base, dataset)
    found = {name: language for name, language in read_speaker_languages(read_card(base)).items() if name in kept}
    for name in dataset.speakers:
        languages = {clip.language for clip in dataset.train if clip.speaker == name}
        if len(languages) == 1:
            found |= {name: languages.pop()}
    return found


def describe_kept(base: Path, dataset: Dataset, encoder: str) -> dict[str, str]:
    """Say what a voice has of its base: preset speakers, speaker encoder, instruct."""
    config = read_model_config(base)
    n_taught = sum(bool(clip.instruct.strip()) for clip in dataset.train)
    instruct = f"learnt from {n_taught} clips" if n_taught else "none"
    if not n_taught and takes_instruct(config) and config.get("tts_model_type") != "base":
        instruct = "as the base follows it; no clip of this run has one"
    return {
        "preset_speakers": str(len(preset_speakers(base, dataset))),
        "speaker_encoder": encoder,
        "instruct": instruct,
    }


def build_report(
    result: Result, identity: dict[str, Any], base_report: dict[str, Any], history: LossHistory
) -> dict[str, Any]:
    """Build ``report.json``: the run, its result, the base check, and all losses."""
    return {
        "run": identity,
        "result": result.model_dump(),
        "base_check": base_report,
        "losses": {"columns": STEP_COLUMNS, "rows": history.steps},
        "validation": {"columns": VALIDATION_COLUMNS, "rows": history.validations},
        "probes": {"columns": PROBE_COLUMNS, "rows": history.probes},
    }
