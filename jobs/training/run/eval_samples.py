"""Evaluation samples: the same sentences by the base, by the voice and by the narrator.

Synthesized after the export, from the exported folders, with the code of ``synthesize``. Existing samples are kept, so
a kill costs at most one.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.codec_format import FRAMES_PER_SECOND
from jobs.errors import UserError
from jobs.files.atomic_io import write_text
from jobs.files.folders import make_folder
from jobs.qwen.devices import compute_device, limit_cpu_threads
from jobs.qwen.model_info import describe_model
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.sound import Reference
from jobs.qwen.speech.synthesizer import Synthesizer, load_synthesizer
from jobs.runner.worker.context import JobContext
from jobs.training.data.dataset import Dataset, TrainingClip
from jobs.training.sample_list import NARRATOR, SAMPLE_LIST, SAMPLES, ZERO_SHOT

logger = logging.getLogger(__name__)

# A sample may last three times as long as the narrator's clip plus two seconds; a longer one is cut.
MAX_LENGTH_FACTOR, SPARE_S = 3.0, 2.0
SEED = 0


@dataclass(frozen=True)
class Sample:
    """One sentence by one source.

    Attributes:
        source: ``narrator``, ``zero-shot``, ``voice`` or ``voice-last``.
        audio: wav, relative to the run's folder; None when synthesis failed.
    """

    source: str
    text: str
    audio: str | None
    is_held_out: bool
    duration_s: float = 0.0
    note: str = ""


def choose_clips(dataset: Dataset, n: int) -> list[tuple[TrainingClip, bool]]:
    """Choose clips of medium length, and say of each whether it is held out; held-out clips come first."""
    chosen: list[tuple[TrainingClip, bool]] = []
    for clips, is_held_out in ((dataset.validation, True), (dataset.train, False)):
        by_length = sorted(clips, key=lambda clip: (len(clip.codes), clip.line))
        middle = len(by_length) // 2
        near = sorted(range(len(by_length)), key=lambda place: abs(place - middle))
        chosen += [(by_length[place], is_held_out) for place in near[: n - len(chosen)]]
    return chosen


def synthesize_samples(
    clips: Sequence[tuple[TrainingClip, bool]],
    models: Mapping[str, Path],
    *,
    speaker: str,
    reference: Path | None,
    out: Path,
    context: JobContext,
    n_steps: int,
) -> list[Sample]:
    """Synthesize every clip's text with every model, and re-encode the narrator's clip with the codec (upper bound).

    A failed synthesis is noted in the sample and does not fail the run.

    Args:
        models: folder by source: exports, and ``zero-shot`` for a base that can clone.
    """
    folder = out / SAMPLES
    make_folder(folder)
    samples: list[Sample] = []
    for source, model in models.items():
        synthesizer: Synthesizer | None = None
        for number, (clip, is_held_out) in enumerate(clips, 1):
            context.raise_if_cancelled()
            context.progress(n_steps, n_steps, f"synthesizing sentence {number} with {source}")
            wav = folder / f"{source}-{number}.wav"
            upper_bound = folder / f"{NARRATOR}-{number}.wav"
            try:
                missing = [path for path in (wav, upper_bound) if not path.exists()]
                if missing and synthesizer is None:
                    synthesizer = _load(model, source, speaker, clip.language, reference)
                if synthesizer is not None and upper_bound in missing:
                    write_clip(upper_bound, _reencode(synthesizer, clip), CLIP_RATE_HZ)
                if synthesizer is not None and wav in missing:
                    instruct = clip.instruct.strip() if source != ZERO_SHOT else ""
                    speaking = replace(synthesizer, language=clip.language, instruct=instruct or None)
                    speech = speaking.synthesize(clip.text, Decoding(seed=SEED, max_seconds=_max_seconds(clip)))
                    write_clip(wav, speech.samples, CLIP_RATE_HZ)
            except (UserError, torch.OutOfMemoryError) as error:
                logger.warning("%s failed on sentence %d: %s", source, number, error)
                samples.append(Sample(source, clip.text, None, is_held_out, note=str(error)))
            else:
                samples.append(_sample(source, clip, wav, is_held_out, out))
                if source == next(iter(models)):
                    samples.append(_sample(NARRATOR, clip, upper_bound, is_held_out, out))
            _write_list(folder, samples)
        del synthesizer
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return samples


def _write_list(folder: Path, samples: Sequence[Sample]) -> None:
    """Write the samples that are there, for a page that is open meanwhile."""
    write_text(folder / SAMPLE_LIST, "".join(json.dumps(asdict(sample)) + "\n" for sample in samples))


def _load(model: Path, source: str, speaker: str, language: str, reference: Path | None) -> Synthesizer:
    is_clone = source == ZERO_SHOT
    synthesizer = load_synthesizer(
        describe_model(model),
        compute_device(),
        speaker=None if is_clone else speaker,
        language=language,
        reference=Reference(read_clip(reference, CLIP_RATE_HZ)) if is_clone and reference is not None else None,
    )
    limit_cpu_threads(synthesizer.n_parameters)
    return synthesizer


def _max_seconds(clip: TrainingClip) -> float:
    return MAX_LENGTH_FACTOR * len(clip.codes) / FRAMES_PER_SECOND + SPARE_S


def _reencode(synthesizer: Synthesizer, clip: TrainingClip) -> np.ndarray:
    waveforms, _ = synthesizer.upstream.model.speech_tokenizer.decode([{"audio_codes": clip.codes}])
    return np.asarray(waveforms[0], np.float32)


def _sample(source: str, clip: TrainingClip, wav: Path, is_held_out: bool, out: Path) -> Sample:
    duration_s = len(read_clip(wav, CLIP_RATE_HZ)) / CLIP_RATE_HZ
    note = "did not end" if source != NARRATOR and duration_s > _max_seconds(clip) - 0.1 else ""
    return Sample(source, clip.text, wav.relative_to(out).as_posix(), is_held_out, round(duration_s, 2), note)
