"""A host of a toy voice that serves in a thread of the tests."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.toy.checkpoints import TOY_CODEC, make_toy_base
from jobs.runner.worker.context import Cancelled
from jobs.serve_voice.params import Params, Result
from jobs.serve_voice.work import run
from jobs.settings import Settings
from jobs.speech_host.protocol import SOCKET

BOUND_S = 60.0


@dataclass
class HostContext:
    """A ``JobContext`` whose job can be cancelled by another thread."""

    folder: Path
    settings: Settings
    job_id: str = "serve_voice-20261122-120000-0000"
    is_cancelled: threading.Event = field(default_factory=threading.Event)
    messages: list[str] = field(default_factory=list)
    may_publish: bool = False

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        """Remember one report."""
        self.messages.append(message)

    def publish(self, name: str, path: Path, kind: str) -> str:
        """Take an artifact; a host has none."""
        assert self.may_publish, name
        return ""

    def raise_if_cancelled(self) -> None:
        """Raise once the job is cancelled."""
        if self.is_cancelled.is_set():
            raise Cancelled


@dataclass
class RunningHost:
    """A host in a thread of this process."""

    context: HostContext
    thread: threading.Thread
    ends: list[Result | BaseException]

    @property
    def address(self) -> dict[str, object]:
        """What its file says."""
        path = self.context.folder / "out" / "address.json"
        found: dict[str, object] = json.loads(path.read_text())
        return found

    @property
    def token(self) -> str:
        """Its bearer token."""
        return Path(str(self.address["token_file"])).read_text().strip()

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client that bears the token, or another."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.address['port']}", headers=headers, timeout=BOUND_S)

    @contextmanager
    def client_of_a_job(self) -> Iterator[httpx.Client]:
        """Yield a client at the private socket."""
        folder = os.open(self.context.folder, os.O_PATH | os.O_DIRECTORY)  # the name of a socket has 107 bytes at most
        transport = httpx.HTTPTransport(uds=f"/proc/self/fd/{folder}/{SOCKET}")
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            with httpx.Client(
                base_url="http://127.0.0.1", headers=headers, timeout=BOUND_S, transport=transport
            ) as client:
                yield client
        finally:
            os.close(folder)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + BOUND_S
        while not holds():
            assert time.monotonic() < deadline
            self.thread.join(0.01)

    def stop(self) -> None:
        """Cancel the job and wait for its end."""
        self.context.is_cancelled.set()
        self.thread.join(BOUND_S)
        assert not self.thread.is_alive()


def start_host(home: Path, params: Params) -> RunningHost:
    """Start a host and wait until it answers."""
    folder = home / "jobs" / "serve_voice-20261122-120000-0000"
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, envs=home / "envs", roots=(home,), hub_cache=home / "hub", torch_cache=home / "t")
    context = HostContext(folder, settings)
    ends: list[Result | BaseException] = []

    def work() -> None:
        torch.set_num_threads(1)
        try:
            ends.append(run(params, context))
        except BaseException as error:
            ends.append(error)

    host = RunningHost(context, threading.Thread(target=work, daemon=True), ends)
    host.thread.start()
    host.until(lambda: bool(context.messages or ends))
    assert not ends, ends
    with host.client() as client:
        host.until(lambda: client.get("/health").json()["status"] == "ok")
    return host


@pytest.fixture(scope="session")
def base_of_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose takes last as long as they may, on every machine: the end's logit is 0, which no top 50 holds."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "base"
    base = make_toy_base(folder, shape="1.7b", codebook_size=256, codec=TOY_CODEC, weight_std=0.1)
    weights = load_file(base / "model.safetensors")
    end = json.loads((base / "config.json").read_text())["talker_config"]["codec_eos_token_id"]
    weights["talker.codec_head.weight"][end] = 0
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    return base


@pytest.fixture(scope="session")
def voice(base_of_voice: Path) -> Path:
    base = base_of_voice
    voices = {name: torch.randn(64, generator=torch.Generator().manual_seed(seed)) * 0.05
              for seed, name in enumerate(("nora", "otto"))}  # fmt: skip
    model = load_base(base, "cpu", torch.float32).model
    return write_voice(model, base, base.with_name("birds"), voices=voices, card={})


@pytest.fixture(scope="session")
def other_voice(voice: Path) -> Path:
    return shutil.copytree(voice, voice.with_name("beasts"))


@pytest.fixture(scope="module")
def host(voice: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host with two slots and a queue of three."""
    params = Params.model_validate({"voices": [str(voice)], "slots": 2, "max_queue": 3})
    running = start_host(tmp_path_factory.mktemp("host") / "home", params)
    yield running
    running.stop()
