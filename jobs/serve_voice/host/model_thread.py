"""The thread that speaks with one model: loads it, lets takes join its loops, unloads it."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass

from jobs.errors import UserError
from jobs.qwen.codec import full_float32
from jobs.qwen.devices import gpu_memory_explained
from jobs.qwen.model_stamps import hash_stamps, is_still, model_changed, read_stamps
from jobs.serve_voice.host.load_gate import LoadGate
from jobs.serve_voice.host.loaded_model import JOB, SHARED, SOLO, LoadedModel, return_memory
from jobs.serve_voice.host.queues import JobTakes, Queues
from jobs.serve_voice.host.served_model import ServedModel
from jobs.serve_voice.host.take_loop import fail
from jobs.serve_voice.host.utterance import Utterance, device_wanted, host_ends, queue_full

logger = logging.getLogger(__name__)

LOOK_S, SOUND_S = 1.0, 0.01
YIELD_GRACE_S = 3.0
"""For takes that are spoken when another job wants the device: it imports its libraries meanwhile."""
YIELD_RETRY_S = 60
MOST_JOBS = 4
LONGEST_RETRY_S = 60


@dataclass(frozen=True)
class Limits:
    """Limits of one model.

    Attributes:
        n_slots: takes spoken at once.
        max_queue: clients' takes that wait for a slot.
        unload_after_s: without a take.
    """

    n_slots: int
    max_queue: int
    unload_after_s: float


@dataclass(frozen=True)
class ModelState:
    """Activity of a model's thread; ``error`` is why the model could not be loaded."""

    is_loaded: bool
    n_running: int
    n_waiting: int
    error: str


class ModelThread:
    """Speaker of one model's takes, in a thread of its own."""

    def __init__(self, served: ServedModel, limits: Limits, gate: LoadGate) -> None:
        self.served = served
        self._gate = gate
        self._limits = limits
        self._changed = threading.Condition()
        self._queues = Queues()
        self._model: LoadedModel | None = None
        self._wants_load = True
        self._error = ""
        self._device_wanted_since_s: float | None = None
        self._is_closing = False
        self._used_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start the thread, and load the model."""
        self._thread.start()

    def close(self) -> None:
        """Fail what waits and is spoken, unload, and end the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    @property
    def state(self) -> ModelState:
        """Its activity now."""
        with self._changed:
            model = self._model
            n_running = model.n_running if model is not None else 0
            return ModelState(model is not None, n_running, self._queues.n_clients, self._error)

    def submit(self, utterance: Utterance) -> None:
        """Let a client's take wait for its turn.

        Raises:
            RefusedError: the queue is full, the device is wanted, or the host ends.
        """
        with self._changed:
            self._check_open()
            self._queues.drop_cancelled()
            n_waiting = self._queues.n_clients
            if n_waiting >= self._limits.max_queue:
                raise queue_full(n_waiting, min(LONGEST_RETRY_S, math.ceil(n_waiting / self._limits.n_slots)))
            self._queues.shared.append(utterance)
            self._changed.notify()

    def submit_job(self, takes: JobTakes) -> None:
        """Let the takes of a job wait for a loop of their own.

        Raises:
            RefusedError: as ``submit``.
        """
        with self._changed:
            self._check_open()
            self._queues.drop_cancelled()
            if len(self._queues.jobs) >= MOST_JOBS:
                raise queue_full(len(self._queues.jobs), 1)
            self._queues.jobs.append(takes)
            self._changed.notify()

    def set_device_wanted(self, *, is_device_wanted: bool) -> None:
        """Say whether another job wants the device: then the model is unloaded, and no take is accepted."""
        with self._changed:
            if not is_device_wanted:
                self._device_wanted_since_s = None
            elif self._device_wanted_since_s is None:
                self._device_wanted_since_s = time.monotonic()
                self._changed.notify()

    def _check_open(self) -> None:
        if self._is_closing:
            raise host_ends()
        if self._device_wanted_since_s is not None:
            raise device_wanted(YIELD_RETRY_S)

    def _run(self) -> None:
        with full_float32():
            while not self._is_closing:
                with self._changed:
                    self._changed.wait_for(self._has_work, LOOK_S)
                try:
                    with gpu_memory_explained("slots"):
                        self._work()
                except Exception as error:
                    logger.exception("the model is unloaded, because something failed")
                    self._give_up(error)
            self._give_up(host_ends())

    def _has_work(self) -> bool:
        is_speaking = self._model is not None and self._model.is_active
        may_load = self._wants_load and self._device_wanted_since_s is None
        return self._is_closing or is_speaking or bool(self._queues) or may_load

    def _work(self) -> None:
        """Do what there is to do until the next frame."""
        if self._device_wanted_since_s is not None:
            self._yield(self._device_wanted_since_s)
            return
        if self._has_work():
            self._used_s = time.monotonic()
        elif self._model is not None and time.monotonic() - self._used_s > self._limits.unload_after_s:
            logger.info("unloaded, because no take came for %g s", self._limits.unload_after_s)
            self._unload()
        if (self._queues or self._wants_load) and not self._is_ready():
            return
        if self._model is not None:
            self._step(self._model, is_open=True)
            if self._queues and not self._model.is_active:  # the sound of others is late
                with self._changed:
                    self._changed.wait(SOUND_S)

    def _is_ready(self) -> bool:
        """Load the model where need be; False: it is not there, or its files change and what it speaks comes first."""
        stamps = read_stamps(self.served.folder)
        if self._model is not None and self._model.stamps == stamps:
            return True
        if self._model is not None and self._model.is_active:
            self._step(self._model)
            return False
        if not is_still(stamps):
            with self._changed:
                self._changed.wait(SOUND_S)
            return False
        if self._model is not None:
            logger.info("loaded anew, because the files of the model have changed")
            self._unload()
        self._wants_load = False
        try:
            with self._gate.loading():
                self._model = LoadedModel(self.served, self._limits.n_slots)
            self._error = ""
        except UserError as error:
            self._error = str(error)
            logger.warning("%s could not be loaded: %s", self.served.name, error)
            with self._changed:
                waiting = self._queues.take_all()
            fail(waiting, error)
            return False
        if self._model.stamps != read_stamps(self.served.folder):  # what was loaded may be a mixture
            self._unload()
            self._wants_load = True
            return False
        return True

    def _step(self, model: LoadedModel, *, is_open: bool = False) -> None:
        """Let waiting takes join if the loops are open to them, and decode a frame."""
        with self._gate.speaking():
            if is_open:
                self._open_loops(model)
            model.step()

    def _open_loops(self, model: LoadedModel) -> None:
        """Give waiting takes to the loops in which they are spoken."""
        queues, loops = self._queues, model.loops
        with self._changed:
            queues.drop_cancelled()
            while queues.shared and model.has_place:
                utterance = queues.shared.popleft()
                if model.joins_shared(utterance):
                    loops[SHARED].waiting.append(utterance)
                else:
                    queues.solo.append(utterance)
            solo = queues.solo.popleft() if queues.solo and SOLO not in loops else None
            job = queues.jobs.popleft() if queues.jobs and JOB not in loops else None
        if solo is not None:
            model.open_loop(SOLO, [solo], 1)
        if job is not None and job.stamps != hash_stamps(model.stamps):
            fail(job.missing, model_changed(self.served.folder))
        elif job is not None:
            model.open_loop(JOB, job.missing, model.count_slots(job.everything))

    def _yield(self, since_s: float) -> None:
        """Let running takes end for a moment, then unload."""
        with self._changed:
            waiting = self._queues.take_all()
        fail(waiting, device_wanted(YIELD_RETRY_S))
        if self._model is not None and self._model.is_active and time.monotonic() - since_s < YIELD_GRACE_S:
            self._step(self._model)
        elif self._model is not None:
            logger.info("unloaded, because another job wants the device")
            self._give_up(device_wanted(YIELD_RETRY_S))

    def _give_up(self, error: Exception) -> None:
        """Fail all takes and unload."""
        with self._changed:
            waiting = self._queues.take_all()
        fail(waiting, error)
        if self._model is not None:
            self._model.fail(error)
        self._unload()

    def _unload(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None
            return_memory()
