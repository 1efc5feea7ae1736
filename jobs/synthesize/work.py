"""Work of ``synthesize``: one wav and one line of ``takes.jsonl`` for each take, written as soon as it is made.

A take that exists and answers the same request is reused, so a kill costs at most the takes that are spoken at once.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip, write_clip
from jobs.dataset.manifest import write_rows
from jobs.dataset.takes import TAKES_NAME, Take, read_takes
from jobs.files.folders import make_folder
from jobs.qwen.hub import resolve_model
from jobs.qwen.model_info import VoiceModel, describe_model
from jobs.qwen.model_stamps import hash_stamps, read_stamps
from jobs.qwen.speech.decoding_settings import SAMPLING, Decoding
from jobs.qwen.speech.sound import Reference, Speech
from jobs.qwen.speech.take_length import longest_take_s, measure_rates
from jobs.runner.worker.context import JobContext
from jobs.speech_host.client import speak
from jobs.speech_host.protocol import Sampling, TakesRequest, WantedTake
from jobs.synthesize.params import Params, Result


@dataclass(frozen=True)
class TakeRequest:
    """One requested take; voice, text and take are numbered from 1, ``request_hash`` covers all inputs of the audio."""

    voice: int
    number: int
    take: int
    text: str
    decoding: Decoding
    request_hash: str

    @property
    def wav(self) -> str:
        """File name: ``001.wav``; ``001_take2.wav`` for a further take, ``001_voice2.wav`` for a further voice."""
        voice, take = (f"_{name}{n}" if n > 1 else "" for name, n in (("voice", self.voice), ("take", self.take)))
        return f"{self.number:03d}{voice}{take}.wav"


@dataclass(frozen=True)
class RequestedVoice:
    """One voice of the call: as named there, and with what it speaks."""

    ref: str
    model: VoiceModel
    speaker: str | None
    language: str
    reference: Reference | None
    requests: list[TakeRequest]
    stamps: str


def run(params: Params, context: JobContext) -> Result:
    """Synthesise every text with every voice.

    Raises ``UserError``: those of ``resolve_model``, ``load_voice`` and ``read_clip``.
    """
    # errors in the request are reported before the weights are loaded
    names = dict.fromkeys([params.model, *params.compare_with])
    voices = [_prepare_voice(number, name, params, context) for number, name in enumerate(names, 1)]
    folder = Path(params.out_dir) if params.out_dir else context.folder / "out"
    make_folder(folder)
    requests = [request for voice in voices for request in voice.requests]
    reused = _reusable_takes(folder, requests)
    counts = f"{len(params.texts)} texts" + (f", {len(requests)} takes" if len(requests) > len(params.texts) else "")
    context.progress(len(reused), len(requests), f"{counts}, {len(reused)} done already")
    done = dict(reused)
    for voice in voices:
        _speak(voice, params, folder, done, requests, context)
    for name in reused:
        context.publish(name, folder / name, "audio")
    takes = [done[request.wav] for request in requests]
    write_rows(folder / TAKES_NAME, takes)  # without those of an earlier request
    context.publish("takes", folder / TAKES_NAME, "manifest")
    return _result(folder, takes)


def _prepare_voice(number: int, name: str, params: Params, context: JobContext) -> RequestedVoice:
    model = describe_model(resolve_model(name, context.settings))
    stamps = hash_stamps(read_stamps(model.folder))
    speaker = model.speaker(params.speaker)
    language = model.language(params.language, speaker)
    model.check_instruct(params.instruct)
    reference = _reference(params) if name == params.model else None
    requests = _take_requests(number, params, model, speaker, language, reference)
    return RequestedVoice(name, model, speaker, language, reference, requests, stamps)


def _reference(params: Params) -> Reference | None:
    if params.ref_audio is None:
        return None
    return Reference(read_clip(Path(params.ref_audio), CLIP_RATE_HZ), params.ref_text)


def _take_requests(
    voice: int, params: Params, model: VoiceModel, speaker: str | None, language: str, reference: Reference | None
) -> list[TakeRequest]:
    """List the takes to make, text by text."""
    requests = []
    sampling, rate = params.model_dump(include=set(SAMPLING)), _rate(model, language, reference)
    for number, text in enumerate(params.texts, 1):
        for take in range(1, params.takes_per_text + 1):
            max_seconds = params.max_seconds or longest_take_s(text, rate)
            decoding = Decoding(seed=take_seed(params.seed, take), max_seconds=max_seconds, **sampling)
            request_hash = _hash_request(text, params, decoding, model, speaker, language)
            requests.append(TakeRequest(voice, number, take, text, decoding, request_hash))
    return requests


def _rate(model: VoiceModel, language: str, reference: Reference | None) -> float | None:
    """Return the seconds a character of the narrator: of the voice's training clips, or of the reference clip."""
    if reference is None:
        return model.s_per_character.get(language)
    return measure_rates([(language, reference.text, reference.duration_s)])[language] if reference.text else None


def take_seed(seed: int, take: int) -> int:
    """Return ``seed`` for the first take and a hash for others, so that runs with neighbouring seeds share no take."""
    if take == 1:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{take}".encode()).digest()[:4], "big") >> 1


def _hash_request(
    text: str, params: Params, decoding: Decoding, model: VoiceModel, speaker: str | None, language: str
) -> str:
    """Hash all inputs of a take's audio: the model's files, the voice, the text, the decoding."""
    files = [params.ref_audio] if params.ref_audio else []
    files += [str(path) for path in sorted(model.folder.glob("*.safetensors")) if path.is_file()]
    content = {
        "text": text.strip(),
        "speaker": speaker,
        "language": language,
        "ref_text": params.ref_text,
        "instruct": (params.instruct or "").strip() or None,
        **asdict(decoding),
        "files": [(path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in files],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _reusable_takes(folder: Path, requests: list[TakeRequest]) -> dict[str, Take]:
    """Return takes of an earlier attempt that answer the same requests, by the name of their wav."""
    if not (folder / TAKES_NAME).is_file():
        return {}
    hashes = {request.wav: request.request_hash for request in requests}
    return {
        take.audio: take
        for take in read_takes(folder)
        if take.request and hashes.get(take.audio) == take.request and (folder / take.audio).is_file()
    }


def _speak(
    voice: RequestedVoice,
    params: Params,
    folder: Path,
    done: dict[str, Take],
    requests: Sequence[TakeRequest],
    context: JobContext,
) -> None:
    """Speak a voice's takes that are not in ``done`` yet, and add each as it comes."""
    for speaks in (_speak_by_host, _speak_here):
        missing = [request for request in voice.requests if request.wav not in done]
        if not missing:
            return
        for number, speech in speaks(voice, missing, params, context):
            context.raise_if_cancelled()
            take = _write(voice, params.instruct, folder, missing[number], speech)
            done[take.audio] = take
            write_rows(folder / TAKES_NAME, [done[request.wav] for request in requests if request.wav in done])
            context.publish(take.audio, folder / take.audio, "audio")
            said = f"{take.audio}: {take.duration_s:.1f} s of speech" + (", did not end" if take.hit_limit else "")
            context.progress(len(done), len(requests), said, rtf=take.compute_s / take.duration_s)


def _speak_by_host(
    voice: RequestedVoice, missing: Sequence[TakeRequest], params: Params, context: JobContext
) -> Iterator[tuple[int, Speech]]:
    """Let a resident host speak, if one serves this voice; ends early where none does."""
    if voice.reference is not None:  # the host's may be another
        return
    places = [voice.requests.index(request) for request in missing]
    wanted = _wanted_takes(voice, places, params)
    if wanted is None:
        return
    for place, speech in speak(context.settings.home, wanted, context.raise_if_cancelled):
        yield places.index(place), speech


def _wanted_takes(voice: RequestedVoice, places: list[int], params: Params) -> TakesRequest | None:
    """Return the request to a host; None: it is beyond a host's limits."""
    with suppress(ValidationError):
        return TakesRequest(
            folder=str(voice.model.folder),
            stamps=voice.stamps,
            speaker=voice.speaker,
            language=voice.language,
            instruct=(params.instruct or "").strip() or None,
            takes=[
                WantedTake(text=request.text, seed=request.decoding.seed, max_seconds=request.decoding.max_seconds)
                for request in voice.requests
            ],
            missing=places,
            sampling=Sampling.model_validate(params.model_dump(include=set(SAMPLING))),
        )
    return None


def _speak_here(
    voice: RequestedVoice, missing: Sequence[TakeRequest], params: Params, context: JobContext
) -> Iterator[tuple[int, Speech]]:
    """Load the model and speak."""
    from jobs.synthesize.loading import load_voice  # imports torch, which a host has done

    synthesizer = load_voice(voice.model, voice.speaker, voice.language, voice.reference, params.instruct)
    # of all requests: an attempt that only has the last ones to make rounds as the one that began
    n_slots = synthesizer.count_slots([(request.text, request.decoding) for request in voice.requests])
    texts = [(request.text, request.decoding) for request in missing]
    yield from synthesizer.synthesize_all(texts, n_slots, context.raise_if_cancelled)


def _write(voice: RequestedVoice, instruct: str | None, folder: Path, request: TakeRequest, speech: Speech) -> Take:
    write_clip(folder / request.wav, speech.samples, CLIP_RATE_HZ)
    return Take(
        audio=request.wav,
        text=request.text,
        speaker=voice.speaker,
        language=voice.language,
        instruct=(instruct or "").strip() or None,
        duration_s=round(speech.duration_s, 3),
        hit_limit=speech.hit_limit,
        seed=request.decoding.seed,
        max_seconds=request.decoding.max_seconds,
        take=request.take,
        model=voice.ref,
        compute_s=round(speech.compute_s, 3),
        request=request.request_hash,
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
