"""Route ``/v1/audio/speech``: a text to sound, sent while it is spoken."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jobs.codec_format import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from jobs.http.request_body import read_body
from jobs.serve_voice.host.utterance import Utterance
from jobs.serve_voice.host.voice_host import VoiceHost
from jobs.serve_voice.sound.encoder import CONTENT_TYPES, SoundEncoder
from jobs.serve_voice.sound.time_stretch import TimeStretch
from jobs.serve_voice.web.answers import answer_error
from jobs.serve_voice.web.events import CONTENT_TYPE as EVENTS
from jobs.serve_voice.web.events import delta_event, done_event, error_event
from jobs.serve_voice.web.metrics import Metrics
from jobs.serve_voice.web.sound_queue import Part, QueueSink, SoundQueue, open_headers, wait_for_leaving
from jobs.serve_voice.web.speech_request import SpeechRequest, read_request

logger = logging.getLogger(__name__)

MOST_BODY_BYTES = 64 * 1024
"""A text of 2,000 characters has at most 12,000 bytes, also where JSON escapes each of them."""
FORMAT_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def speech(request: Request) -> Response:
    """Check a request, let it wait for its turn, and answer with sound.

    Raises:
        UserError: those of ``read_request`` and ``VoiceHost.find``, of the language and the instruct.
        RefusedError: as ``ModelThread.submit``.
    """
    host: VoiceHost = request.app.state.host
    wanted = read_request(await read_body(request, MOST_BODY_BYTES))
    found = host.find(wanted.model, wanted.voice_name)
    language = found.model.language(wanted.language, found.speaker)
    found.model.check_instruct(wanted.instructions)
    queue = SoundQueue()
    utterance = Utterance(
        text=wanted.input,
        decoding=wanted.decoding(found.model_thread.served.longest_s(found.model, wanted.input, language)),
        speaker=found.speaker,
        language=language,
        instruct=(wanted.instructions or "").strip() or None,
        sink=QueueSink(
            queue,
            SoundEncoder(wanted.response_format, is_whole=not wanted.stream),
            stretch=None if wanted.speed == 1 else TimeStretch(wanted.speed),
        ),
    )
    host.used_s = time.monotonic()
    found.model_thread.submit(utterance)
    return _SoundAnswer(wanted, utterance, queue, request.app.state.metrics)


class _SoundAnswer(Response):
    """Sound of a take while it comes; the slot is freed when the client goes."""

    def __init__(self, wanted: SpeechRequest, utterance: Utterance, queue: SoundQueue, metrics: Metrics) -> None:
        self._has_events = wanted.stream_format == "sse"
        content_type = EVENTS if self._has_events else CONTENT_TYPES[wanted.response_format]
        super().__init__(media_type=content_type, headers=FORMAT_HEADERS)
        self._wanted, self._utterance, self._queue, self._metrics = wanted, utterance, queue, metrics
        self._n_samples = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(wait_for_leaving(receive))
        try:
            first = await self._next(leaving)
            if first is not None and first.error is not None:
                await answer_error(first.error)(scope, receive, send)
            elif first is not None and self._wanted.stream:
                await self._stream(first, leaving, send)
            elif first is not None:
                await self._send_whole(first, leaving, scope, receive, send)
        finally:
            self._utterance.is_cancelled = True
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving

    async def _next(self, leaving: asyncio.Task[None]) -> Part | None:
        """Return the next part; None: the client has gone."""
        getting = asyncio.create_task(self._queue.get())
        done, _ = await asyncio.wait({getting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if leaving in done:
            getting.cancel()
            return None
        part = getting.result()
        if part.n_samples and not self._n_samples:
            self._metrics.count_first_sound(time.perf_counter() - self._utterance.arrived_s)
        self._n_samples += part.n_samples
        if part.is_end:
            self._metrics.count_take(self._n_samples / SAMPLE_RATE_HZ)
        return part

    async def _stream(self, part: Part | None, leaving: asyncio.Task[None], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": open_headers(self)})
        while part is not None:
            if part.error is not None and not self._has_events:
                # half an answer cannot become an error: it ends before its end
                raise ConnectionAbortedError(f"the take failed: {part.error}") from part.error
            is_last = part.is_end or part.error is not None
            await send({"type": "http.response.body", "body": self._form(part), "more_body": not is_last})
            if is_last:
                return
            part = await self._next(leaving)

    def _form(self, part: Part) -> bytes:
        """Return what is sent of a part: the encoded sound, or events."""
        if not self._has_events:
            return part.content
        if part.error is not None:
            return error_event(part.error)
        n_frames = round(self._n_samples * self._wanted.speed / SAMPLES_PER_FRAME)
        end = done_event(self._utterance.n_text_tokens, n_frames) if part.is_end else b""
        return delta_event(part.content) + end

    async def _send_whole(
        self, part: Part | None, leaving: asyncio.Task[None], scope: Scope, receive: Receive, send: Send
    ) -> None:
        content = bytearray()
        while part is not None:
            if part.error is not None:
                await answer_error(part.error)(scope, receive, send)
                return
            content += part.content
            if part.is_end:
                answer = Response(bytes(content), media_type=self.media_type, headers=FORMAT_HEADERS)
                await answer(scope, receive, send)
                return
            part = await self._next(leaving)
