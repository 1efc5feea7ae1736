"""Body of ``/v1/audio/speech``: OpenAI's fields, and the settings of ``synthesize`` beside them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from jobs.errors import UserError
from jobs.param_types import Strict, first_fault
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.serve_voice.sound.time_stretch import FASTEST, SLOWEST

MOST_CHARACTERS = 2000
Name = Annotated[str, Field(min_length=1, max_length=300)]


class VoiceId(Strict):
    """OpenAI's other way to name a voice."""

    id: Name


class SpeechRequest(Strict):
    """A text to speak.

    Attributes:
        stream_format: ``sse``: the sound comes as events.
        speed: 2 is twice as fast, at the same pitch.
        stream: False: the answer comes when its sound is complete, with the length in the header of WAV and FLAC.
    """

    model: Name
    input: str
    voice: Name | VoiceId
    instructions: str | None = Field(None, max_length=1000)
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    stream_format: Literal["audio", "sse"] = "audio"
    speed: float = 1.0
    stream: bool = True
    language: str | None = Field(None, max_length=40)
    seed: int = Field(0, ge=0, lt=2**63)
    greedy: bool = False
    temperature: float = Field(0.9, gt=0, le=2)
    top_k: int = Field(50, ge=1, le=3000)
    top_p: float = Field(1.0, gt=0, le=1)
    repetition_penalty: float = Field(1.05, ge=1, le=2)
    max_seconds: float | None = Field(None, gt=0, le=600)

    @property
    def voice_name(self) -> str:
        """Name of the voice."""
        return self.voice if isinstance(self.voice, str) else self.voice.id

    def decoding(self, longest_s: float) -> Decoding:
        """Return how the text is spoken."""
        names = ("seed", "greedy", "temperature", "top_k", "top_p", "repetition_penalty")
        given = {name: getattr(self, name) for name in names}
        return Decoding(max_seconds=self.max_seconds or longest_s, **given)


def read_request(body: bytes) -> SpeechRequest:
    """Read and check a body.

    Raises:
        UserError: ``request_invalid``, ``text_too_long``, ``text_empty``, ``speed_unsupported``,
            ``stream_unsupported``.
    """
    try:
        request = SpeechRequest.model_validate_json(body)
    except ValidationError as error:
        raise UserError("request_invalid", f"{first_fault(error)}.", "Correct the body.") from error
    if len(request.input) > MOST_CHARACTERS:
        raise UserError(
            "text_too_long",
            f"input has {len(request.input)} characters; at most {MOST_CHARACTERS} are spoken at once.",
            "Send it in parts, or call narrate for a book.",
        )
    if not any(character.isalnum() for character in request.input):
        raise UserError("text_empty", "input has no letters or digits.", "Give a text with words.")
    if not SLOWEST <= request.speed <= FASTEST:
        raise UserError(
            "speed_unsupported",
            f"speed {request.speed:g} is not between {SLOWEST:g} and {FASTEST:g}.",
            "1 is the speed of the voice, 2 twice as fast.",
        )
    if request.stream_format == "sse" and not request.stream:
        raise UserError(
            "stream_unsupported",
            "stream is false, and stream_format is sse: events are a stream.",
            "Leave one of them out.",
        )
    return request
