"""Plan of a training for a GPU and hours of audio, by training's own presets, epochs and memory estimate."""

from typing import Any

from jobs.training.params import Params
from jobs.training.planning.memory_fit import LONG_CLIP_S, assumed_clips, estimate_run_memory
from jobs.training.planning.model_dims import RELEASED
from jobs.training.planning.presets import preset_for, preset_settings
from jobs.training.planning.run_config import epochs_for
from jobs.web_research_hparams.recommend import RecommendationRequest, TrainingPlan

_SMALLEST: dict[str, Any] = {"batch_size": 1, "gradient_accumulation_steps": 4, "gradient_checkpointing": True}


def plan_for(request: RecommendationRequest) -> TrainingPlan:
    """Compute settings, epochs and estimated peak of a run."""
    hours = None if request.minutes_of_audio is None else request.minutes_of_audio / 60
    epochs = None if hours is None else epochs_for(request.method, hours)
    settings: dict[str, Any] = {"batch_size": 4, "gradient_accumulation_steps": 1}
    if request.gpu_memory_gb is None:
        return TrainingPlan(settings, epochs)
    free = request.gpu_memory_gb * 2**30
    preset = preset_for(free)
    ways = [_SMALLEST | ({"optimizer": "adamw_8bit"} if request.method == "full" else {})]
    if preset is not None:
        ways.insert(0, preset_settings(preset, is_small=request.size == "0.6b", given={"method": request.method}))
    for way in ways:
        settings |= {name: value for name, value in way.items() if name != "method"}
        peak = _peak(request, settings)
        if peak <= free:
            break
    return TrainingPlan(settings, epochs, peak / 1e9, peak <= free)


def _peak(request: RecommendationRequest, settings: dict[str, Any]) -> float:
    params = Params(manifest="-", base_model=f"Qwen3-TTS-12Hz-{request.size}", method=request.method, **settings)
    return estimate_run_memory(params, RELEASED[request.size], assumed_clips(LONG_CLIP_S, 16), "cuda").peak
