"""Fields that ``convert_codes`` adds to the lines of a manifest."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONGEST_NAME = 200
MOST_COPIES = 8

Codes = Annotated[list[Annotated[list[int], Field(fail_fast=True)]], Field(fail_fast=True)]
"""(frames, 16) codebook indices at 12.5 frames a second."""


class CodesTokenizer(BaseModel):
    """The 12 Hz speech tokenizer that codes are of.

    Attributes:
        name: as it was given to ``convert_codes``, of a folder its last part.
        fingerprint: hash of its codebooks (``jobs.qwen.codec_identity``), the same in every number format.
        codebook_size: number of codes of each codebook.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(max_length=LONGEST_NAME)]
    fingerprint: Annotated[str, Field(max_length=LONGEST_NAME)]
    codebook_size: Annotated[int, Field(ge=1, le=2**21)]


class ChangedCopy(BaseModel):
    """Codes of a clip whose sound was changed: trained on now and then in the place of its own, never held out."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    change: Annotated[str, Field(max_length=LONGEST_NAME)]
    """``loudness +2.1 dB``, ``speed 0.982``."""
    codes: Codes
