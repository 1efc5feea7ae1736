"""Takes of jobs: the same bits as without a host, and what happens when the host cannot speak."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from jobs.errors import UserError
from jobs.http import unix_socket
from jobs.narrate.params import Params as NarrateParams
from jobs.narrate.work import run as run_narration
from jobs.qwen.model_stamps import hash_stamps, read_stamps
from jobs.runner.paths import Home
from jobs.runner.store import Store
from jobs.runner.worker.context import Cancelled
from jobs.serve_voice.params import Params
from jobs.settings import Settings
from jobs.speech_host.client import speak
from jobs.speech_host.protocol import SOCKET, TakesRequest
from jobs.synthesize.params import Params as SynthesizeParams
from jobs.synthesize.work import run
from tests.jobs.serve_voice.conftest import HostContext, RunningHost, start_host
from tests.support.hostile.limits import within_limits

TEXTS = ["A thirsty crow found a pitcher.", "There was only a little water.", "Will it rise?"]


class _LeavingContext(HostContext):
    """A context that is cancelled by its second report."""

    def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
        super().progress(done, total, message, **metrics)
        if len(self.messages) > 1:
            self.is_cancelled.set()


def synthesize(
    voice: Path, folder: Path, home: Path, context: type[HostContext] = HostContext, **changes: object
) -> list[bytes]:
    """The bytes of each wav."""
    folder.mkdir(exist_ok=True)
    given = {"model": str(voice), "texts": TEXTS, "speaker": "nora", "max_seconds": 0.4, "seed": 1, **changes}
    made = context(folder, Settings(home=home, envs=home / "envs", roots=(home,)), may_publish=True)
    result = run(SynthesizeParams.model_validate(given), made)
    return [Path(wav).read_bytes() for wav in result.wavs]


def stamps_of(voice: Path) -> str:
    return hash_stamps(read_stamps(voice))


def count_takes(host: RunningHost) -> int:
    """Takes that a host has spoken to their end."""
    with host.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("tts_train_takes_total ")))


def home_of(host: RunningHost) -> Path:
    return host.context.settings.home


def test_a_job_gets_the_same_bits_from_a_host_also_beside_clients_and_after_a_stop(
    host: RunningHost, voice: Path, tmp_path: Path
) -> None:
    alone = synthesize(voice, tmp_path / "alone", tmp_path / "home")
    before = count_takes(host)

    with host.client() as client:
        endless = {"model": "birds", "voice": "otto", "input": "hello there " * 20, "max_seconds": 300, "seed": 1}
        with client.stream("POST", "/v1/audio/speech", json={**endless, "response_format": "pcm"}):
            hosted = synthesize(voice, tmp_path / "hosted", home_of(host))
    spoken = count_takes(host) - before
    with pytest.raises(Cancelled):
        synthesize(voice, tmp_path / "stopped", home_of(host), _LeavingContext)
    went_on = synthesize(voice, tmp_path / "stopped", home_of(host))

    assert len(set(alone)) == 3
    assert hosted == alone
    assert went_on == alone
    assert spoken == 3


def test_a_job_speaks_by_itself_where_the_host_has_another_model_or_was_killed(
    host: RunningHost, voice: Path, base_of_voice: Path, tmp_path: Path
) -> None:
    request = TakesRequest.model_validate(
        {"folder": str(base_of_voice), "stamps": stamps_of(base_of_voice), "language": "auto", "sampling": {},
         "missing": [0], "takes": [{"text": "a", "seed": 1, "max_seconds": 0.4}]}
    )  # fmt: skip
    killed = tmp_path / "home" / "jobs" / "serve_voice-20261122-120000-0001"
    (killed / "out").mkdir(parents=True)
    with closing(unix_socket.listen(killed / SOCKET)):
        pass

    assert list(speak(home_of(host), request, lambda: None)) == []
    assert list(speak(tmp_path / "home", request, lambda: None)) == []


@pytest.mark.parametrize(
    "wrong",
    [{"sampling": {"top_k": -5}}, {"sampling": {"top_k": 2.5}}, {"sampling": {"temperature": None}},
     {"sampling": {"subtalker_top_k": 0}}, {"sampling": {"seed": 1}}, {"missing": [0, 0]}, {"missing": [1]}],
)  # fmt: skip
def test_a_wrong_request_takes_the_model_from_nobody(host: RunningHost, voice: Path, wrong: dict[str, Any]) -> None:
    body = {"folder": str(voice), "stamps": stamps_of(voice), "speaker": "nora", "language": "auto", "sampling": {},
            "missing": [0], "takes": [{"text": "a", "seed": 1, "max_seconds": 0.4}]}  # fmt: skip
    with host.client_of_a_job() as client:
        refused = client.post("/takes", json=body | wrong)
        health = client.get("/health").json()

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "request_invalid")
    assert health == {"status": "ok"}


@pytest.mark.parametrize(
    "body", [b'{"takes":[' + b"[]," * 2_500_000 + b"[]]}", b"[" * 100_000, b'{"a":NaN}', b"\xff", b"1"]
)
def test_a_request_is_refused_within_limits(host: RunningHost, body: bytes) -> None:
    with host.client_of_a_job() as client, within_limits():
        refused = client.post("/takes", content=body)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "request_invalid")


def test_the_network_has_no_way_to_the_takes_of_jobs(host: RunningHost, voice: Path) -> None:
    body = {"folder": str(voice), "stamps": stamps_of(voice), "speaker": "nora", "language": "auto", "sampling": {},
            "missing": [0], "takes": [{"text": "a", "seed": 1, "max_seconds": 0.4}]}  # fmt: skip
    with host.client() as client:
        over_network = client.post("/takes", json=body).status_code
    with host.client_of_a_job() as client:
        over_socket = client.post("/takes", json=body).status_code

    assert (over_network, over_socket) == (404, 200)


def test_a_voice_that_was_trained_anew_is_loaded_anew(voice: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(voice, tmp_path / "birds")
    host = start_host(tmp_path / "home", Params.model_validate({"voices": [str(folder)]}))
    try:
        first = synthesize(folder, tmp_path / "first", home_of(host))
        weights = load_file(folder / "model.safetensors")
        weights["talker.codec_head.weight"] = weights["talker.codec_head.weight"].flip(0).contiguous()
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        second = synthesize(folder, tmp_path / "second", home_of(host))
        spoken = count_takes(host)
    finally:
        host.stop()

    assert spoken == 6
    assert second == synthesize(folder, tmp_path / "alone", tmp_path / "other")
    assert first != second


BOOK = "# One\n\nA thirsty crow found a pitcher. [speaker: otto] Go on, said the hen.\n\n# Two\n\nThe end came soon.\n"


def narrate(voice: Path, folder: Path, home: Path, context: type[HostContext] = HostContext) -> dict[str, bytes]:
    """The audio files of a narration."""
    folder.mkdir(exist_ok=True)
    (folder / "book.md").write_text(BOOK)
    given = {"model": str(voice), "text": str(folder / "book.md"), "out_dir": str(folder / "out"), "checks": "ends",
             "speaker": "nora", "longest_passage_s": 0.8, "respeak": 1, "marks": True}  # fmt: skip
    made = context(folder, Settings(home=home, envs=home / "envs", roots=(home,)), may_publish=True)
    run_narration(NarrateParams.model_validate(given), made)
    files = sorted((folder / "out").rglob("*"))
    return {path.name: path.read_bytes() for path in files if path.suffix in (".m4b", ".mp3", ".wav")}


def test_a_narration_is_the_same_bits_with_a_host_without_one_and_begun_with_one(
    host: RunningHost, voice: Path, tmp_path: Path
) -> None:
    alone = narrate(voice, tmp_path / "alone", tmp_path / "home")
    before = count_takes(host)
    hosted = narrate(voice, tmp_path / "hosted", home_of(host))
    spoken = count_takes(host) - before
    with pytest.raises(Cancelled):
        narrate(voice, tmp_path / "stopped", home_of(host), _LeavingContext)
    went_on = narrate(voice, tmp_path / "stopped", tmp_path / "home")

    assert hosted == alone
    assert went_on == alone
    assert len([name for name in alone if name.endswith(".wav")]) == 5
    assert spoken == 10  # each passage once, and once more because none ends by itself


def test_a_narration_whose_host_ends_goes_on_by_itself_with_the_same_bits(voice: Path, tmp_path: Path) -> None:
    alone = narrate(voice, tmp_path / "alone", tmp_path / "home")
    host = start_host(tmp_path / "hosted", Params.model_validate({"voices": [str(voice)]}))
    n_by_host = []

    class Leaving(HostContext):
        def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
            super().progress(done, total, message, **metrics)
            if len(self.messages) == 3:
                n_by_host.append(count_takes(host))
                host.stop()

    went_on = narrate(voice, tmp_path / "left", home_of(host), Leaving)

    assert went_on == alone
    assert n_by_host[0] > 0


def test_a_narration_never_mixes_two_models(voice: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(voice, tmp_path / "birds")
    host = start_host(tmp_path / "home", Params.model_validate({"voices": [str(folder)]}))

    class Retraining(HostContext):
        def progress(self, done: float, total: float | None = None, message: str = "", **metrics: float) -> None:
            super().progress(done, total, message, **metrics)
            if len(self.messages) == 3:
                os.utime(folder / "model.safetensors")

    try:
        with pytest.raises(UserError) as refused:
            narrate(folder, tmp_path / "book", home_of(host), Retraining)
    finally:
        host.stop()

    assert refused.value.code == "model_changed"


def test_a_host_speaks_on_beside_a_narration_with_its_voice_and_yields_to_another_one(
    host: RunningHost, voice: Path, other_voice: Path
) -> None:
    store = Store(Home(home_of(host)))
    body = {"model": "birds", "voice": "nora", "input": TEXTS[0], "max_seconds": 0.4, "seed": 1}

    def insert(name: str, model: Path) -> None:
        document = json.dumps({"params": {"model": str(model)}})
        row = {"id": name, "kind": "narrate", "spec_hash": "", "document": document, "resource": "gpu",
               "environment": "ml", "max_tries": 1, "created_at": 1.0}  # fmt: skip
        with store.transaction() as connection:
            store.insert(connection, row, None)

    with host.client() as client:

        def health() -> str:
            return str(client.get("/health").json()["status"])

        insert("own", voice)
        store.claim("own", 0, [("gpu", 0)])
        beside = [client.post("/v1/audio/speech", json=body).status_code for _ in range(5)]
        insert("other", other_voice)
        store.claim("other", 0, [("gpu", 1)])
        host.until(lambda: health() == "yielding")
        for name in ("own", "other"):
            store.ask_to_cancel(name)
            with store.transaction() as connection:
                connection.execute("UPDATE jobs SET state = 'cancelled' WHERE id = ?", (name,))
                connection.execute("DELETE FROM leases")
        host.until(lambda: health() != "yielding")
        after = client.post("/v1/audio/speech", json=body).status_code

    assert beside == [200] * 5
    assert after == 200


def test_a_host_gives_its_memory_to_a_training_and_takes_it_back(voice: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    host = start_host(home.path, Params.model_validate({"voices": [str(voice)]}))
    store = Store(home)
    row = {"id": "training-20261122-120000-0000", "kind": "training", "spec_hash": "", "document": "{}",
           "resource": "gpu", "environment": "ml", "max_tries": 1, "created_at": 1.0}  # fmt: skip
    body = {"model": "birds", "voice": "nora", "input": TEXTS[0], "max_seconds": 0.4, "seed": 1}
    try:
        with host.client() as client:

            def health() -> str:
                return str(client.get("/health").json()["status"])

            host.until(lambda: health() == "ok")
            # of all seeds tried the longest: spoken in twice the time that a take is given to end
            endless = {**body, "input": "hello there " * 20, "max_seconds": 300, "seed": 21, "stream_format": "sse"}
            with client.stream("POST", "/v1/audio/speech", json=endless) as answer:
                lines = answer.iter_lines()
                events = [next(lines)]
                with store.transaction() as connection:
                    store.insert(connection, row, None)
                events += [line for line in lines if line]
            host.until(lambda: health() == "yielding")
            refused = client.post("/v1/audio/speech", json=body)
            host.until(lambda: 'tts_train_model_loaded{model="birds"} 0' in client.get("/metrics").text)
            store.ask_to_cancel(str(row["id"]))
            store.cancel_waiting(str(row["id"]))
            host.until(lambda: health() == "unloaded")
            again = client.post("/v1/audio/speech", json=body)
    finally:
        host.stop()

    cut = json.loads(events[-1].removeprefix("data: "))
    assert "speech.audio.delta" in events[0]
    assert (cut["type"], cut["error"]["code"]) == ("error", "device_wanted")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "device_wanted")
    assert again.status_code == 200


def test_weights_written_over_while_they_speak_change_no_take_and_are_loaded_whole_for_the_next(
    voice: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(voice, tmp_path / "birds")
    weights = folder / "model.safetensors"
    others = load_file(weights)
    others["talker.codec_head.weight"] = others["talker.codec_head.weight"].flip(0).contiguous()
    save_file(others, tmp_path / "other.safetensors", {"format": "pt"})
    asked = {"model": "birds", "voice": "nora", "input": TEXTS[0], "max_seconds": 6, "response_format": "pcm",
             "seed": 1, "temperature": 0.8}  # fmt: skip
    host = start_host(tmp_path / "home", Params.model_validate({"voices": [str(folder)]}))
    try:
        with host.client() as client:
            expected = client.post("/v1/audio/speech", json=asked).content
            with client.stream("POST", "/v1/audio/speech", json=asked) as answer:
                parts = answer.iter_raw()
                heard = next(parts)
                os.truncate(weights, 0)  # as cp does
                weights.write_bytes((tmp_path / "other.safetensors").read_bytes())
                heard += b"".join(parts)
            after = client.post("/v1/audio/speech", json=asked).content
    finally:
        host.stop()
    alone = start_host(tmp_path / "other", Params.model_validate({"voices": [str(folder)]}))
    try:
        with alone.client() as client:
            fresh = client.post("/v1/audio/speech", json=asked).content
    finally:
        alone.stop()

    assert heard == expected
    assert after == fresh != expected
