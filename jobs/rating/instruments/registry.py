"""All instruments of the rating in one place: what is measured, by what, and what it hears."""

from jobs.rating.instruments.clicks import CLICKS
from jobs.rating.instruments.distill_mos import DISTILL_MOS
from jobs.rating.instruments.instrument import Check, Instrument
from jobs.rating.instruments.melody import MELODY
from jobs.rating.instruments.models import MODELS
from jobs.rating.instruments.modulation import MODULATION
from jobs.rating.instruments.spectrum import SPECTRUM
from jobs.rating.instruments.tempo import TEMPO
from jobs.rating.instruments.words import WORDS

INSTRUMENTS: tuple[Instrument, ...] = (*MODELS, DISTILL_MOS, WORDS, SPECTRUM, CLICKS, MODULATION, MELODY, TEMPO)

CHECKS: tuple[Check, ...] = tuple(check for instrument in INSTRUMENTS for check in instrument.checks)
"""Every check whose limit is fitted on the narrator."""

VERSIONS: tuple[str, ...] = tuple(f"{each.name} {each.version}" for each in INSTRUMENTS)
"""Measurements made with other versions are not reused."""
