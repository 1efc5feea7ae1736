"""Dry run of ``align``: clips, aligners, time and disk, without loading a model."""

from pathlib import Path
from typing import Any

from jobs.align.params import Params
from jobs.asr.model_registry import BUNDLE_FILES, DEFAULT_MODELS, is_on_disk, language_code
from jobs.dataset.manifest import read_extent, summarise_extent
from jobs.errors import UserError
from jobs.runner.machine.preflight import free_bytes
from jobs.settings import Settings

MOST_LANGUAGES = 20  # of a dry run; more are no languages

# Own measurement on real narration (2026-11-25): one core, one clip at a time.
POCKETSPHINX_TIMES_REALTIME = 70.0
TO_DOWNLOAD = ", to be downloaded"
SMALL_MODEL_GB, LARGE_MODEL_GB = 0.4, 1.3  # a base and a large wav2vec2, float32: 95 and 315 M weights
START_S = 10.0  # of the worker and its models
BYTES_PER_S = 500  # of audio: a line of the manifest with its words, and once more in the journal


def aligner_for(language: str, choice: str, model: str | None, settings: Settings) -> str:
    """Return the name of the aligner for a language, with a download that it needs, or why there is none."""
    try:
        code = language_code(language)
    except UserError as error:
        return f"none: {error.message}"
    if code is None:
        return "none: the language of the words must be known"
    name = model or DEFAULT_MODELS[code]
    is_here = is_on_disk(name, settings.torch_cache / "hub", settings.hub_cache)
    if choice == "whisperx" or model is not None or (choice == "auto" and is_here):
        return f"whisperx {name}" + ("" if is_here else TO_DOWNLOAD)
    if code == "en":
        return "pocketsphinx"
    return "none: pocketsphinx supports English only; give aligner=whisperx where there is network, or align_model"


def plan_aligner(language: str, params: Params, settings: Settings) -> dict[str, Any]:
    """Return the aligner of a dataset that is not there yet, and what it downloads."""
    aligner = aligner_for(language, params.aligner, params.align_model, settings)
    planned: dict[str, Any] = {"aligner": {language: aligner}}
    if aligner.endswith(TO_DOWNLOAD):
        is_small = params.align_model is None and DEFAULT_MODELS.get(language_code(language) or "") in BUNDLE_FILES
        planned["download_gb"] = SMALL_MODEL_GB if is_small else LARGE_MODEL_GB
    return planned


def plan(params: Params, settings: Settings) -> dict[str, Any]:
    """Count the clips, choose an aligner for each language, and estimate time and disk."""
    manifest = Path(params.manifest)
    extent = read_extent(manifest)
    aligners = {
        name: aligner_for(name, params.aligner, params.align_model, settings)
        for name, _ in extent.languages.most_common(MOST_LANGUAGES)
    }
    need, free = extent.seconds * BYTES_PER_S, free_bytes(manifest.parent)
    planned = {
        "data": summarise_extent(extent),
        "aligner": aligners,
        "disk": {"need_mb": round(need / 1e6, 1), "free_gb": round(free / 1e9, 1), "fits": need <= free},
    }
    if set(aligners.values()) == {"pocketsphinx"}:
        minutes = (START_S + extent.seconds / POCKETSPHINX_TIMES_REALTIME) / 60
        planned["time"] = {"about_min": round(minutes, 1), "from": "measured on one core; the job reports its own rate"}
    else:
        planned["time"] = {"from": "depends on the model and the device; the job reports its rate while it runs"}
    return planned
