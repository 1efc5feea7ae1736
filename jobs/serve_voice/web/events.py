"""Server-sent events of a take, as OpenAI's speech API sends them with ``stream_format: "sse"``."""

from __future__ import annotations

import base64
import json

from jobs.serve_voice.web.answers import error_document

CONTENT_TYPE = "text/event-stream"


def delta_event(content: bytes) -> bytes:
    """Return the event of the next encoded sound; without sound there is none."""
    if not content:
        return b""
    return _event({"type": "speech.audio.delta", "audio": base64.b64encode(content).decode("ascii")})


def done_event(n_text_tokens: int, n_frames: int) -> bytes:
    """Return the event of the end, which counts tokens of the text and frames of the sound."""
    usage = {"input_tokens": n_text_tokens, "output_tokens": n_frames, "total_tokens": n_text_tokens + n_frames}
    return _event({"type": "speech.audio.done", "usage": usage})


def error_event(error: Exception) -> bytes:
    """Return the event of why there is no more sound."""
    document, _ = error_document(error)
    return _event({"type": "error", **document})


def _event(document: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
