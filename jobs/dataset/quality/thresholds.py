"""Thresholds for clips that are good enough to train a voice: defaults and their sources.

Imports no heavy library: the tools check parameters with it. A limit of None is off; the value is still measured.

Sources: *ours* is our measurement on real narration, other voices and 33 kinds of damage (339 clips, 45 min, August
2026) and on noise and chords mixed under real narration (November 2026). The others are the published defaults of
other dataset builders.
"""

from typing import Any, Literal

from pydantic import Field, ValidationError

from jobs.errors import UserError
from jobs.param_types import Strict

Layout = Literal["huggingface", "ljspeech", "lhotse"]
EXPORT = "Also written for other tools, into <out_dir>/exports; ingest_clips reads these layouts."
VALIDATION_SHARE = "Of each speaker's clips, held out by chapter where there are 20 clips or more."
QUALITY = (
    "Limits of a good clip by name, off for one turned off: min_snr_db 15, max_music_db 12, max_sim_drop 0.09 (another "
    "voice), min_rate 0.67, max_rate 1.33, max_dnsmos_drop 0.55, min_bandwidth_hz 5000, max_clipped_share 0.01, "
    "max_edge_silence_s 1, max_pause_s 2, max_loudness_shift_lu 10, min_envelope_sd_db 3.5, min_text_match 0.75; "
    "dnsmos and text_match sampled, all or off; reject false to keep all."
)


class Thresholds(Strict):
    """Limits of a clip, in the order in which they are looked at: sound before rate, rate before voice.

    A bad sound looks like another voice (10 dB of noise takes SIM from 0.96 to 0.67), so it must be named first.
    """

    min_envelope_sd_db: float | None = Field(3.5, ge=0)
    """Spread of the 20 ms levels. Below: noise or a tone, not speech. Ours: speech 7.7 to 17, steady noise under 3."""

    max_clipped_share: float | None = Field(0.01, ge=0, le=1)
    """Share of samples that are flat at the peak. Ours: 0.15 when hard-clipped by 18 dB, none of 32 real clips."""

    min_snr_db: float | None = Field(15.0, ge=0)
    """Speech against the pauses of the recording near by, where ingest knows them, and against the quietest tenths of
    seconds of the clip: neither may be lower. Ours, of the latter: real narration 25 to 46, with noise at 15 dB
    15.2, at 10 dB 10.5. Other builders: 15 dB (audiobook preparer of AX2), 12 dB (preflight of FS)."""

    max_music_db: float | None = Field(12.0, ge=0)
    """How far a background of steady tones lies above the narrator's own, relative to the speech; DNSMOS must agree
    that the background is worse. Ours: chords 15 dB under the speech lie 21 to 28 dB above it, 20 dB under 18 to 25.
    One of 20 real clips, without any pause, lies 17 dB above and has tones: there DNSMOS hears no background."""

    min_bandwidth_hz: float | None = Field(5000.0, ge=0)
    """Upper edge of what is recorded. Ours: telephone sound and low bit rates end at 4 kHz, audiobooks over 8 kHz."""

    max_edge_silence_s: float | None = Field(1.0, ge=0)
    """Silence at either end. Ours: none of 32 real clips; appended silence teaches a voice not to stop."""

    max_pause_s: float | None = Field(2.0, ge=0)
    """Longest silence within. NeMo's speech data processor: 2 s; ours: 0.67 s in 32 real clips."""

    max_loudness_shift_lu: float | None = Field(10.0, ge=0)
    """Difference of the integrated loudness (ITU-R BS.1770) to the narrator's median. Ours: real narration ± 1.5 LU."""

    max_dnsmos_drop: float | None = Field(0.55, ge=0)
    """How far DNSMOS (mean of overall and P.808) falls under the narrator's own of that length. Ours: noise at 20 dB
    0.65 to 0.87, none of 32 real clips over 0.55. Not an absolute score: studio narration has 3.2 (Emilia: 3.0)."""

    min_rate: float | None = Field(0.67, ge=0)
    """Phones a second, as a multiple of the narrator's median. Ours: sentences of one narrator 0.72 to 1.25; with 40 %
    of the text missing 0.6, with 40 % too much 1.4."""

    max_rate: float | None = Field(1.33, ge=1)
    """The same upwards: text that is not spoken is found here. Emilia: 1.5 times the span of the quartiles."""

    max_sim_drop: float | None = Field(0.09, ge=0)
    """How far SIM to the narrator's centroid falls under the narrator's own median. Own measurement: 0 of 32 real
    clips dropped, all 84 of other voices; their highest SIM is 0.71, the narrator's median 0.96."""

    min_text_match: float | None = Field(0.75, ge=0, le=1)
    """Share of the text that a recogniser hears which knows only its words and common ones, of clips from 3 s and 6
    words. Ours: the right text 0.79 and more (62 clips), another sentence 0.17, the same words shuffled 0.36, 40 % of
    the text missing 0.44 at most, 40 % too much 0.72 mostly; the rate sees the rest of those."""

    dnsmos: Literal["sampled", "all", "off"] = "sampled"
    """Which clips DNSMOS scores, at 0.08 CPU seconds a second: a sample, and all whose sound other measures doubt."""

    text_match: Literal["sampled", "all", "off"] = "sampled"
    """Clips whose text is compared with the audio, at a third of a CPU second a clip, in English: up to 500 curated
    clips, spread evenly; ``all``: every clip with a text, also where ingest has recognised or made it."""

    reject: bool = True
    """False: measure everything and keep all clips."""


def read_thresholds(given: dict[str, Any]) -> Thresholds:
    """The limits that a caller asks for; the word ``off`` turns one off.

    Raises ``UserError``: ``quality_unknown`` or ``quality_invalid``.
    """
    known = Thresholds.model_fields
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UserError(
            "quality_unknown",
            f"quality has no {', '.join(map(repr, unknown))}.",
            f"It has: {', '.join(f'{name} ({field.default})' for name, field in known.items())}.",
        )
    values = {
        name: None if value in ("off", None) and name not in ("dnsmos", "text_match") else value
        for name, value in given.items()
    }
    try:
        return Thresholds.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            "quality_invalid",
            f"quality.{first['loc'][0]}: {first['msg']} (got {first['input']!r}).",
            "A limit is a number, or off.",
        ) from error
