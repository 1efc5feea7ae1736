"""Texts to takes: one wav and one line of ``takes.jsonl`` a text, written as they come.

A take that is already there and answers the same request is kept, so a kill costs at most one take.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path

from jobs.qwen.devices import compute_device, limit_cpu_threads
from jobs.qwen.generation import Decoding, Narrator, Reference, load_narrator
from jobs.qwen.loading import resolve_model
from jobs.qwen.voice_model import VoiceModel, describe_model
from jobs.runner.context import JobContext
from jobs.speech.audio import CLIP_RATE_HZ, read_clip, write_clip
from jobs.speech.manifest import read_rows, write_rows
from jobs.synthesize.spec import Params, Result, Take

logger = logging.getLogger(__name__)

TAKES_NAME = "takes.jsonl"


def run(params: Params, context: JobContext) -> Result:
    """Speak every text.

    Raises:
        UserError: of ``resolve_model``, ``load_narrator`` and ``read_clip``.
    """
    model = describe_model(resolve_model(params.model, context.settings))
    # what is wrong with the request is said before the weights are read
    speaker, language = model.speaker(params.speaker), model.language(params.language)
    reference = _reference(params)
    folder = Path(params.out_dir) if params.out_dir else context.folder / "out"
    folder.mkdir(parents=True, exist_ok=True)
    requests = [_request(text, params, model, speaker, language) for text in params.texts]
    kept = _kept_takes(folder, requests)
    context.progress(len(kept), len(requests), f"{len(requests)} texts, {len(kept)} spoken already")
    narrator: Narrator | None = None
    takes: list[Take] = []
    for number, (text, request) in enumerate(zip(params.texts, requests, strict=True)):
        context.raise_if_cancelled()
        take = kept.get(number)
        if take is None:
            if narrator is None:
                narrator = _load(model, speaker, language, reference)
            take = _speak(narrator, folder / _wav_name(number), text, request, params)
        takes.append(take)
        later = [kept[at] for at in sorted(kept) if at > number]
        write_rows(folder / TAKES_NAME, [*takes, *later])
        context.publish(take.audio, folder / take.audio, "audio")
        rtf = take.compute_s / take.duration_s
        context.progress(
            len(takes) + len(later),
            len(requests),
            f"take {number + 1}: {take.duration_s:.1f} s of speech" + (", did not end" if take.hit_limit else ""),
            rtf=rtf,
        )
    context.publish("takes", folder / TAKES_NAME, "manifest")
    return _result(folder, takes)


def _reference(params: Params) -> Reference | None:
    if params.ref_audio is None:
        return None
    return Reference(read_clip(Path(params.ref_audio), CLIP_RATE_HZ), params.ref_text)


def _request(text: str, params: Params, model: VoiceModel, speaker: str | None, language: str) -> str:
    """Hash what decides the audio of a text: the model's files, the voice, the text, the decoding."""
    files = [params.ref_audio] if params.ref_audio else []
    files += [str(path) for path in sorted(model.folder.glob("*.safetensors"))]
    content = {
        "text": text.strip(),
        "speaker": speaker,
        "language": language,
        **params.model_dump(include={"ref_text", "greedy", "temperature", "top_k", "seed", "max_seconds"}),
        "files": [(path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in files],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _kept_takes(folder: Path, requests: list[str]) -> dict[int, Take]:
    """Takes of an earlier attempt that answer the same requests, by the number of their text."""
    if not (folder / TAKES_NAME).is_file():
        return {}
    numbers = {_wav_name(number): number for number in range(len(requests))}
    kept = {}
    for take in read_rows(folder / TAKES_NAME, Take):
        number = numbers.get(take.audio)
        if number is not None and take.request == requests[number] and (folder / take.audio).is_file():
            kept[number] = take
    return kept


def _wav_name(number: int) -> str:
    return f"{number + 1:03d}.wav"


def _load(model: VoiceModel, speaker: str | None, language: str, reference: Reference | None) -> Narrator:
    device = compute_device()
    narrator = load_narrator(model, device, speaker=speaker, language=language, reference=reference)
    n_threads = limit_cpu_threads(narrator.n_parameters)
    logger.info("loaded %s on %s, %d CPU threads", model.folder, device, n_threads)
    return narrator


def _speak(narrator: Narrator, wav: Path, text: str, request: str, params: Params) -> Take:
    decoding = Decoding(params.greedy, params.temperature, params.top_k, params.seed, params.max_seconds)
    began = time.perf_counter()
    speech = narrator.say(text, decoding)
    compute_s = time.perf_counter() - began
    write_clip(wav, speech.samples, CLIP_RATE_HZ)
    return Take(
        audio=wav.name,
        text=text,
        speaker=narrator.speaker,
        language=narrator.language,
        duration_s=round(speech.duration_s, 3),
        hit_limit=speech.hit_limit,
        seed=params.seed,
        model=params.model,
        compute_s=round(compute_s, 3),
        request=request,
    )


def _result(folder: Path, takes: list[Take]) -> Result:
    duration_s = sum(take.duration_s for take in takes)
    compute_s = sum(take.compute_s for take in takes)
    return Result(
        folder=str(folder),
        takes=str(folder / TAKES_NAME),
        wavs=[str(folder / take.audio) for take in takes],
        duration_s=round(duration_s, 3),
        compute_s=round(compute_s, 3),
        rtf=round(compute_s / duration_s, 3),
        n_hit_limit=sum(take.hit_limit for take in takes),
    )
