"""Instruments that are models: run by ``jobs.rating.measurements``, judged by ``jobs.rating.scoring``."""

from jobs.rating.instruments.instrument import Instrument

MODELS = (
    Instrument(
        name="GE2E speaker encoder",
        version="resemblyzer 0.1.4",
        licence="Apache-2.0",
        cost=0.012,
        hears="another voice, another channel",
        does_not_hear="prosody, words, a similar speaker of the same sex; noise looks like another voice",
    ),
    Instrument(
        name="DNSMOS",
        version="speechmos 0.0.1.1",
        licence="MIT",
        cost=0.07,
        hears="noise, distortion, codecs, robots",
        does_not_hear="words, pitch, bandwidth, the voice; it rates clean and robotic well",
    ),
    Instrument(
        name="text-conditioned recognition and forced alignment",
        version="pocketsphinx 5.1.1",
        licence="BSD-2-Clause",
        cost=0.05,
        hears="another text, several wrong words, a missing end; English only",
        does_not_hear="one wrong word in twenty, diction",
    ),
    Instrument(
        name="Praat pitch, levels and pauses",
        version="praat-parselmouth",
        licence="GPL-3.0",
        cost=0.006,
        hears="clipping, silence, long pauses, shifted pitch",
        does_not_hear="where stress lies, emotion",
    ),
)
