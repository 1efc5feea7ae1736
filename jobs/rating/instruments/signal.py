"""A clip as the instruments see it: samples, speech frames, spectra and pitch, each computed once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import parselmouth
from numpy.typing import NDArray

from jobs.audio.clip_io import CLIP_RATE_HZ, Samples

Doubles = NDArray[np.float64]

N_FFT = 2048
HOP = 512
PITCH_HOP_S = 0.01
_PITCH_FLOOR_HZ, _PITCH_CEILING_HZ = 60.0, 500.0
_SPEECH_BELOW_PEAK_DB = 30.0


@dataclass(frozen=True)
class PitchTrack:
    """Pitch of frames 10 ms apart, in Hz, 0 where unvoiced; ``strength`` 0..1 is the periodicity of each."""

    hz: Doubles
    strength: Doubles


@dataclass(frozen=True)
class Signal:
    """Mono audio at 24 kHz, as it was written, and the text that it should hold."""

    audio: Samples
    text: str = ""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.audio) / CLIP_RATE_HZ

    @cached_property
    def power(self) -> Doubles:
        """Power spectra of the frames that hold speech, (frames, N_FFT / 2 + 1)."""
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(self.audio, (0, N_FFT)), N_FFT)[::HOP]
        power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32), axis=1)) ** 2 + 1e-10
        level_db = 10 * np.log10(power.sum(axis=1))
        return np.asarray(power[level_db > np.percentile(level_db, 95) - _SPEECH_BELOW_PEAK_DB], np.float64)

    @cached_property
    def pitch(self) -> PitchTrack:
        """Praat's pitch by autocorrelation."""
        sound = parselmouth.Sound(self.audio.astype(np.float64), CLIP_RATE_HZ)
        track = sound.to_pitch_ac(time_step=PITCH_HOP_S, pitch_floor=_PITCH_FLOOR_HZ, pitch_ceiling=_PITCH_CEILING_HZ)
        found = track.selected_array
        return PitchTrack(np.asarray(found["frequency"]), np.asarray(found["strength"]))
