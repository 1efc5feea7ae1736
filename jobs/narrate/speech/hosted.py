"""Passages spoken by a resident host, where one serves the voice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from jobs.narrate.script.dialogue import Manner
from jobs.narrate.script.passages import Passage
from jobs.narrate.speech.voice import Voice
from jobs.qwen.model_stamps import hash_stamps
from jobs.qwen.speech.sound import Speech
from jobs.speech_host.client import speak
from jobs.speech_host.protocol import Sampling, TakesRequest, WantedTake

TAKES_A_REQUEST = 64
"""Four times as many as are spoken at once. The host holds what is not fetched yet, about 1.5 MB a take."""


def speak_by_host(
    home: Path,
    voice: Voice,
    manner: Manner,
    passages: Sequence[Passage],
    places: Sequence[int],
    attempt: int,
    on_wait: Callable[[], None],
) -> Iterator[tuple[int, Speech]]:
    """Let a host speak passages, and yield the place of each and its speech; ends early where none does.

    Args:
        home: whose hosts are asked.
        voice: that speaks.
        manner: of the passages that are spoken.
        passages: all of the narration: they decide how many are spoken at once, as without a host.
        places: of those to speak.
        attempt: number of their takes.
        on_wait: called about twice a second; what it raises ends the synthesis.
    """
    if voice.reference is not None:  # the host's may be another
        return
    for first in range(0, len(places), TAKES_A_REQUEST):
        batch = list(places[first : first + TAKES_A_REQUEST])
        request = _make_request(voice, manner, passages, batch, attempt)
        if request is None:
            return
        n_spoken = 0
        for place, speech in speak(home, request, on_wait):
            n_spoken += 1
            yield place, speech
        if n_spoken < len(batch):
            return


def _make_request(
    voice: Voice, manner: Manner, passages: Sequence[Passage], places: list[int], attempt: int
) -> TakesRequest | None:
    """Return the request to a host; None: it is beyond a host's limits."""
    speaker, instruct = voice.speaker_and_instruct(manner)
    takes = ((passage.said, voice.decoding(passage, attempt)) for passage in passages)
    try:
        return TakesRequest(
            folder=str(voice.model.folder),
            stamps=hash_stamps(voice.stamps),
            speaker=speaker,
            language=voice.language,
            instruct=instruct,
            takes=[WantedTake(text=text, seed=how.seed, max_seconds=how.max_seconds) for text, how in takes],
            missing=places,
            sampling=Sampling.model_validate(voice.sampling),
        )
    except ValidationError:
        return None
