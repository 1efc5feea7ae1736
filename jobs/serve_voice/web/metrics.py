"""Counters of a host, and their text for Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

from jobs.serve_voice.host.voice_host import VoiceHost

FIRST_SOUND_S = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the histogram of times to the first sound."""
PREFIX = "tts_train_"


class Metrics:
    """Counters since the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_s = time.monotonic()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.n_takes = 0
        self.audio_s = 0.0
        self._first_sounds: Counter[float] = Counter()
        self._first_sound_sum_s = 0.0

    @property
    def up_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_s

    def count_request(self, route: str, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self.requests[route, status] += 1

    def count_first_sound(self, seconds: float) -> None:
        """Count the time from a request to its first sound."""
        with self._lock:
            self._first_sounds[next((bound for bound in FIRST_SOUND_S if seconds <= bound), float("inf"))] += 1
            self._first_sound_sum_s += seconds

    def count_take(self, audio_s: float) -> None:
        """Count a take that was spoken to its end."""
        with self._lock:
            self.n_takes += 1
            self.audio_s += audio_s

    def render(self, host: VoiceHost) -> str:
        """Return all figures in the text format of Prometheus."""
        states = {model_thread.served.name: model_thread.state for model_thread in host.model_threads}
        with self._lock:
            lines = [
                *_head("requests_total", "counter"),
                *(
                    f'{PREFIX}requests_total{{route="{route}",status="{status}"}} {count}'
                    for (route, status), count in sorted(self.requests.items())
                ),
                *_one("takes_total", "counter", self.n_takes),
                *_one("audio_seconds_total", "counter", round(self.audio_s, 3)),
                *_head("first_sound_seconds", "histogram"),
                *self._histogram(),
                *_one("up_seconds", "gauge", round(self.up_s, 3)),
                *_one("resident_bytes", "gauge", resident_bytes()),
                *_one("device_wanted", "gauge", int(host.is_device_wanted)),
            ]
        for name in ("is_loaded", "n_running", "n_waiting"):
            metric = {"is_loaded": "model_loaded", "n_running": "takes_running", "n_waiting": "takes_waiting"}[name]
            lines += _head(metric, "gauge")
            lines += [
                f'{PREFIX}{metric}{{model="{_label(model)}"}} {int(getattr(state, name))}'
                for model, state in states.items()
            ]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        total, lines = 0, []
        for bound in (*FIRST_SOUND_S, float("inf")):
            total += self._first_sounds[bound]
            name = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{PREFIX}first_sound_seconds_bucket{{le="{name}"}} {total}')
        lines.append(f"{PREFIX}first_sound_seconds_sum {self._first_sound_sum_s:.4f}")
        return [*lines, f"{PREFIX}first_sound_seconds_count {total}"]


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def _head(name: str, kind: str) -> list[str]:
    return [f"# TYPE {PREFIX}{name} {kind}"]


def _one(name: str, kind: str, value: float) -> list[str]:
    return [*_head(name, kind), f"{PREFIX}{name} {value}"]


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
