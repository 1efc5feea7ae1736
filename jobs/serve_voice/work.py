"""Work of ``serve_voice``: models, sockets and the server, until it is cancelled or no requests come any more."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import uvicorn

from jobs.audio.clip_io import CLIP_RATE_HZ, read_clip
from jobs.errors import UserError
from jobs.files.atomic_io import write_json
from jobs.files.folders import make_folder
from jobs.files.records import read_record
from jobs.http import unix_socket
from jobs.http.connections import connection_limits
from jobs.http.listener import http_server, open_socket
from jobs.http.token_file import read_or_create_token
from jobs.qwen.hub import resolve_model
from jobs.qwen.model_info import describe_model
from jobs.qwen.speech.sound import Reference
from jobs.runner.paths import OUT, Home
from jobs.runner.store.watch import find_wanting
from jobs.runner.worker.context import Cancelled, JobContext
from jobs.serve_voice.host.model_thread import Limits
from jobs.serve_voice.host.served_model import ServedModel
from jobs.serve_voice.host.voice_host import VoiceHost, make_names
from jobs.serve_voice.params import Params, Result
from jobs.serve_voice.web.app import MOST_REQUESTS, AcceptedHosts, build_app
from jobs.serve_voice.web.metrics import Metrics
from jobs.speech_host.protocol import ADDRESS_FILE, SOCKET

logger = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
LOOK_EVERY_S = 0.5
REPORT_EVERY_S = 60.0
SHARES_WITH = ("synthesize",)
"""Kinds of GPU jobs to which a host does not give its memory: they let it speak."""
SPOKEN_FOR = "narrate"
"""Of this kind those that the host speaks: a narration with another model takes the memory for hours."""


def run(params: Params, context: JobContext) -> Result:
    """Serve until no request has come for long.

    Raises:
        Cancelled: it was asked to end.
        UserError: ``port_taken``, ``token_file_unusable``, those of the models.
    """
    models = prepare_models(params, context)
    folder = context.folder / OUT
    make_folder(folder)
    token_file = Path(params.token_file) if params.token_file else folder / "token"
    token = read_or_create_token(token_file)
    listener = _listen(params.port, int((read_record(folder / ADDRESS_FILE) or {}).get("port", 0)))
    port = int(listener.getsockname()[1])
    write_json(folder / ADDRESS_FILE, {"port": port, "token_file": str(token_file)})
    host = VoiceHost(models, Limits(params.slots, params.max_queue, 60 * params.unload_after_min))
    metrics = Metrics()
    app = build_app(host, metrics, token, AcceptedHosts.of_port(port, params.allowed_hosts))
    jobs_socket = unix_socket.listen(context.folder / SOCKET)
    where = f"http://{ADDRESS}:{port}/v1"
    said = f"serves {', '.join(entry.name for entry in host.list_voices())} at {where}, token in {token_file}"
    watch = _Watch(params, context, host, metrics, said)
    try:
        host.start()
        server = http_server(app, connection_limits(MOST_REQUESTS))
        asyncio.run(_serve(server, [listener, jobs_socket], watch))
    finally:
        host.close()
        for each in (listener, jobs_socket):
            each.close()
        unix_socket.remove(context.folder / SOCKET)
    context.raise_if_cancelled()
    if watch.is_cancelled:
        raise Cancelled
    watch.report()
    return Result(
        url=where,
        voices=[entry.name for entry in host.list_voices()],
        n_takes=metrics.n_takes,
        duration_s=round(metrics.audio_s, 3),
        up_s=round(metrics.up_s, 1),
    )


def prepare_models(params: Params, context: JobContext) -> list[ServedModel]:
    """Find the models and check them; no weights are loaded.

    Raises:
        UserError: those of ``resolve_model``, ``describe_model`` and ``read_clip``.
    """
    reference = None
    if params.ref_audio is not None:
        reference = Reference(read_clip(Path(params.ref_audio), CLIP_RATE_HZ), params.ref_text)
    refs = list(dict.fromkeys(params.voices))
    models = []
    for ref, name in zip(refs, make_names(refs), strict=True):
        model = describe_model(resolve_model(ref, context.settings))
        if model.kind == "base":
            model.check_reference(is_given=reference is not None)
        models.append(ServedModel(name, model.folder, reference if model.kind == "base" else None))
    return models


def _listen(port: int, former: int) -> socket.socket:
    """Listen on a port: the one asked for, else that of an earlier attempt where it is free, else any."""
    if not port and former:
        with suppress(OSError):
            return open_socket(ADDRESS, former)
    try:
        return open_socket(ADDRESS, port)
    except OSError as error:
        raise UserError(
            "port_taken", f"Port {port} cannot be opened: {error}.", "Give another port, or none for a free one."
        ) from error


async def _serve(server: uvicorn.Server, sockets: list[socket.socket], watch: _Watch) -> None:
    """Serve, and look around meanwhile."""
    looking = asyncio.create_task(watch.run(server))
    try:
        await server.serve(sockets=sockets)
    finally:
        looking.cancel()


class _Watch:
    """Look around at intervals: is the job cancelled, idle for too long, does another job want the device?"""

    def __init__(self, params: Params, context: JobContext, host: VoiceHost, metrics: Metrics, said: str) -> None:
        self._params, self._context, self._host, self._metrics, self._said = params, context, host, metrics, said
        self._home = Home(context.settings.home)
        self._served = {*params.voices, *(str(model_thread.served.folder) for model_thread in host.model_threads)}
        self._reported_s = 0.0
        self._reported = ""
        self.is_cancelled = False

    async def run(self, server: uvicorn.Server) -> None:
        """Look until the server should end."""
        while not await asyncio.to_thread(self.look):  # noqa: ASYNC110 (nothing signals what it looks at)
            await asyncio.sleep(LOOK_EVERY_S)
        server.should_exit = True

    def look(self) -> bool:
        """Look once; return whether the host should end."""
        try:
            self._context.raise_if_cancelled()
        except Cancelled:
            self.is_cancelled = True
            return True
        if not self._params.beside_jobs:
            self._host.set_device_wanted(is_device_wanted=bool(self._find_wanting()))
        now = time.monotonic()
        if self._host.is_speaking:
            self._host.used_s = now
        if self._state != self._reported or now - self._reported_s > REPORT_EVERY_S:
            self.report()
        return now - self._host.used_s > 3600 * self._params.end_after_hours

    def report(self) -> None:
        """Report what the host does."""
        self._reported, self._reported_s = self._state, time.monotonic()
        spoken = f"; {self._metrics.n_takes} takes, {self._metrics.audio_s / 60:.1f} min"
        self._context.progress(self._metrics.n_takes, None, f"{self._said}{self._reported}{spoken}")

    @property
    def _state(self) -> str:
        if self._host.is_device_wanted:
            return "; unloaded while another job uses the GPU"
        errors = [model_thread.state.error for model_thread in self._host.model_threads if model_thread.state.error]
        return f"; cannot load: {errors[0]}" if errors else ""

    def _is_spoken_here(self, kind: str, document: str) -> bool:
        """Return whether a job is a narration with a voice of this host."""
        if kind != SPOKEN_FOR:
            return False
        given = json.loads(document).get("params", {})
        return given.get("model") in self._served and given.get("ref_audio") is None

    def _find_wanting(self) -> str:
        if not self._home.database.exists():
            return ""
        try:
            return find_wanting(self._home, "gpu", SHARES_WITH, self._is_spoken_here)
        except sqlite3.Error as error:
            logger.warning("the queue of jobs cannot be read: %s", error)
            return ""
