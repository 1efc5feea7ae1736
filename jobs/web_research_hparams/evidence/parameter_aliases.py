"""Researched settings: names of ``start_training``, and the words that people use for them."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """One setting with its smallest and largest valid value.

    ``name`` is as ``start_training`` calls it; ``warmup_ratio`` is not an argument of it. ``words`` is a pattern of its
    names in prose, YAML, flags and code. ``lora``: words such as "rank" mean it only in a text about adapters.
    ``counted`` is a pattern of a noun that follows its number, as in "3 epochs"; empty: none.
    """

    name: str
    words: str
    low: float
    high: float
    whole: bool
    unit: str
    lora: bool = False
    counted: str = ""


_WARM = r"warm[ _-]?up"
_ACCUMULATION = r"(?:grad(?:ient)?[ _-]?accum(?:ulation)?|accumulation)(?:[ _-]?steps?)?"

PARAMETERS = (
    Parameter("lr", r"(?:(?:peak|max|initial|base)[ _-])?(?:learning[ _-]?rates?|lr)", 1e-12, 0.1, False, "",
              counted=r"(?:as (?:the |a )?)?(?:peak )?(?:learning[ -]rate|lr)"),
    Parameter("epochs", r"(?:num[ _-])?(?:train(?:ing)?[ _-])?epochs|max[ _-]epochs?", 1, 1000, True, "passes",
              counted=r"(?:training )?epochs?"),
    Parameter("batch_size", r"(?:per[ _-]device[ _-])?(?:train(?:ing)?[ _-])?(?:micro[ _-]?)?batch(?:[ _-]?size)?|bs",
              1, 256, True, "clips"),
    Parameter("gradient_accumulation_steps", _ACCUMULATION + "|ga", 1, 256, True, "forward passes",
              counted=r"(?:gradient )?accumulation steps"),
    Parameter("warmup_ratio", r"(?:lr[ _-])?" + _WARM + r"[ _-]?(?:ratio|fraction)", 0, 1, False, "share of the run"),
    Parameter("warmup_steps", r"(?:lr[ _-])?" + _WARM + r"(?:[ _-]?steps?)?", 0, 1e9, True, "optimiser steps",
              counted=r"(?:linear )?" + _WARM + r" steps|(?:optimi[sz]er )?steps of " + _WARM + r"|steps " + _WARM),
    Parameter("weight_decay", r"weight[ _-]?decay|wd", 0, 1, False, ""),
    Parameter("max_grad_norm", r"max[ _-]?grad(?:ient)?[ _-]?norm|grad(?:ient)?[ _-]?clip(?:ping)?(?:[ _-]?norm)?",
              1e-6, 1e6, False, ""),
    Parameter("lora_r", r"lora[ _-]?r(?:ank)?|rank|r", 1, 256, True, "", lora=True),
    Parameter("lora_alpha", r"lora[ _-]?alpha|alpha|α", 1, 1024, True, "", lora=True),
    Parameter("lora_dropout", r"lora[ _-]?dropout|dropout", 0, 0.999, False, "", lora=True),
    Parameter("code_predictor_weight", r"(?:sub[ _-]?talker|code[ _-]?predictor)[ _-]?(?:loss[ _-]?)?weight",
              0, 10, False, ""),
)  # fmt: skip
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}


def find_parameter(name: str) -> Parameter | None:
    """Find the setting for a caller's word: its own name, or one that people use for it."""
    plain = name.strip().lstrip("-").lower()
    if plain in BY_NAME:
        return BY_NAME[plain]
    return next((found for found in PARAMETERS if re.fullmatch(found.words, plain, re.I)), None)
