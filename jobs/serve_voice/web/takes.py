"""Route of jobs: takes with the samples that their own process would have computed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jobs.codec_format import SAMPLE_RATE_HZ
from jobs.errors import UserError
from jobs.files.json_documents import parse_json
from jobs.http.request_body import read_body
from jobs.param_types import first_fault
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.sound import Samples
from jobs.serve_voice.host.queues import JobTakes
from jobs.serve_voice.host.utterance import Utterance
from jobs.serve_voice.host.voice_host import VoiceHost
from jobs.serve_voice.web.metrics import Metrics
from jobs.serve_voice.web.sound_queue import QueueSink, SoundQueue, open_headers, wait_for_leaving
from jobs.speech_host.protocol import TakesRequest, encode_message

MOST_BODY_BYTES = 8 * 1024 * 1024
MOST_PARTS = 300_000
"""Of a body. A job with more parts is spoken in its own process."""
ALIVE_EVERY_S = 0.5


async def takes(request: Request) -> Response:
    """Speak the takes of a job, in a loop of their own.

    Raises:
        HTTPException: 404 for a request that came over the network: only jobs of the same user reach the socket.
        UserError: ``request_invalid``, ``model_not_served``, those of the model.
        RefusedError: as ``ModelThread.submit_job``.
    """
    if request.client is not None:  # a peer of a Unix socket has no address
        raise HTTPException(404)
    host: VoiceHost = request.app.state.host
    wanted = _read(await read_body(request, MOST_BODY_BYTES))
    model_thread = host.find_folder(wanted.folder)
    model = model_thread.served.describe()
    speaker = model.speaker(wanted.speaker)
    language = model.language(wanted.language, speaker)
    model.check_instruct(wanted.instruct)
    queue = SoundQueue()
    everything = [
        Utterance(
            text=take.text,
            decoding=Decoding(seed=take.seed, max_seconds=take.max_seconds, **wanted.sampling.model_dump()),
            speaker=speaker,
            language=language,
            instruct=wanted.instruct,
            sink=QueueSink(queue, None, number),
            is_streamed=False,
        )
        for number, take in enumerate(wanted.takes)
    ]
    missing = [everything[number] for number in wanted.missing]
    host.used_s = time.monotonic()
    model_thread.submit_job(JobTakes(missing, everything, wanted.stamps))
    return _TakesAnswer(missing, queue, request.app.state.metrics)


def _read(body: bytes) -> TakesRequest:
    try:
        # not model_validate_json, which copies a wrong document for each of its faults
        wanted = TakesRequest.model_validate(parse_json(body, MOST_PARTS))
    except ValueError as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise UserError("request_invalid", f"{fault}.", "Correct the body.") from error
    is_known = all(0 <= number < len(wanted.takes) for number in wanted.missing)
    if not is_known or len(set(wanted.missing)) < len(wanted.missing):
        raise UserError("request_invalid", "missing names a take that is not there, or one twice.", "Correct the body.")
    return wanted


class _TakesAnswer(Response):
    """Takes of a job as they come; those that are left are given up when the job goes."""

    def __init__(self, missing: list[Utterance], queue: SoundQueue, metrics: Metrics) -> None:
        super().__init__(media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
        self._missing, self._queue, self._metrics = missing, queue, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(wait_for_leaving(receive))
        await send({"type": "http.response.start", "status": 200, "headers": open_headers(self)})
        try:
            async for message in self._messages():
                if leaving.done():
                    return
                await send({"type": "http.response.body", "body": message, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            for utterance in self._missing:
                utterance.is_cancelled = True
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving

    async def _messages(self) -> AsyncIterator[bytes]:
        sounds: dict[int, Samples] = {}
        n_left = len(self._missing)
        while n_left:
            try:
                part = await asyncio.wait_for(self._queue.get(), ALIVE_EVERY_S)
            except TimeoutError:
                yield encode_message({"is_alive": True})
                continue
            if part.error is not None:
                yield encode_message({"error": str(part.error)})
                return
            if part.samples is not None:
                sounds[part.number] = part.samples
            if part.is_end:
                samples = sounds.pop(part.number)
                self._metrics.count_take(len(samples) / SAMPLE_RATE_HZ)
                said = {"number": part.number, "hit_limit": part.hit_limit, "compute_s": part.compute_s}
                yield encode_message(said, samples)
                n_left -= 1
        yield encode_message({"is_end": True})
