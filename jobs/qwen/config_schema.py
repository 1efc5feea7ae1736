"""Entries of a model's configurations that this product uses, with their bounds. Everything else stays as it is.

The bounds are several times what the released models have; shapes are compared with the weights when a model is loaded.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs.codec_format import N_CODEBOOKS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from jobs.model_folders.contents import broken, check_sizes

Size = Annotated[int, Field(ge=1, le=2**17, strict=True)]
Vocabulary = Annotated[int, Field(ge=1, le=2**21, strict=True)]
Layers = Annotated[int, Field(ge=1, le=128, strict=True)]
Heads = Annotated[int, Field(ge=1, le=1024, strict=True)]
Row = Annotated[int, Field(ge=0, lt=2**21, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MOST_NAMES = 2000


class _Part(BaseModel):
    """A part of a configuration; keys that are not named here are not checked by it."""

    model_config = ConfigDict(extra="ignore")


class _Rope(_Part):
    rope_type: Literal["default"] = "default"
    type: Literal["default"] = "default"
    mrope_section: list[Heads] | None = Field(None, min_length=3, max_length=3)


class _Stack(_Part):
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Layers
    num_attention_heads: Heads
    num_key_value_heads: Heads
    head_dim: Heads | None = None
    vocab_size: Vocabulary
    num_code_groups: Literal[16] = N_CODEBOOKS  # type: ignore[assignment]
    rope_theta: Positive = 10_000.0
    rope_scaling: _Rope | None = None
    rms_norm_eps: Positive = 1e-6

    @model_validator(mode="after")
    def _heads_rotate(self) -> Self:
        width = self.head_dim or self.hidden_size // self.num_attention_heads
        sections = self.rope_scaling.mrope_section if self.rope_scaling else None
        if width % 2 or (sections is not None and 2 * sum(sections) != width):
            raise ValueError(f"the rotary embedding does not fit heads of width {width}")
        return self


class _Talker(_Stack):
    text_vocab_size: Vocabulary
    text_hidden_size: Size
    codec_pad_id: Row
    codec_bos_id: Row
    codec_eos_token_id: Row
    codec_think_id: Row
    codec_nothink_id: Row
    codec_think_bos_id: Row
    codec_think_eos_id: Row
    codec_language_id: dict[Name, Row] = Field(max_length=MOST_NAMES)
    spk_id: dict[Name, Row] | None = Field(None, max_length=MOST_NAMES)
    spk_is_dialect: dict[Name, Literal[False] | Name] | None = Field(None, max_length=MOST_NAMES)
    code_predictor_config: _Stack

    @model_validator(mode="after")
    def _rows_exist(self) -> Self:
        rows = {name: value for name, value in self if name.startswith("codec_") and isinstance(value, int)}
        for name, row in {**rows, **self.codec_language_id, **(self.spk_id or {})}.items():
            if row >= self.vocab_size:
                raise ValueError(f"{name} is row {row} of {self.vocab_size}")
        for dialect in (self.spk_is_dialect or {}).values():
            if dialect is not False and dialect not in self.codec_language_id:
                raise ValueError(f"the dialect {dialect} is no language")
        return self


class _Model(_Part):
    tts_model_type: str | None = Field(None, max_length=100)
    tts_pad_token_id: Row
    tts_bos_token_id: Row
    tts_eos_token_id: Row
    talker_config: _Talker
    speaker_encoder_config: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _texts_exist(self) -> Self:
        if (
            max(self.tts_pad_token_id, self.tts_bos_token_id, self.tts_eos_token_id)
            >= self.talker_config.text_vocab_size
        ):
            raise ValueError("a control token is outside the text vocabulary")
        return self


class _CodecHalf(_Part):
    codebook_size: Vocabulary = 2048
    hidden_size: Size = 512
    num_hidden_layers: Annotated[int, Field(ge=0, le=128, strict=True)] = 8
    num_attention_heads: Heads = 8
    num_quantizers: Layers = N_CODEBOOKS


class _Codec(_Part):
    encoder_valid_num_quantizers: Literal[16] = N_CODEBOOKS  # type: ignore[assignment]
    input_sample_rate: Literal[24_000] = SAMPLE_RATE_HZ  # type: ignore[assignment]
    output_sample_rate: Literal[24_000] = SAMPLE_RATE_HZ  # type: ignore[assignment]
    decode_upsample_rate: Literal[1920] = SAMPLES_PER_FRAME  # type: ignore[assignment]
    encode_downsample_rate: Literal[1920] = SAMPLES_PER_FRAME  # type: ignore[assignment]
    encoder_config: _CodecHalf
    decoder_config: _CodecHalf


class _Generation(_Part):
    """Defaults of sampling; the bounds are those that sampling itself has."""

    do_sample: bool = True
    subtalker_dosample: bool = True
    top_k: int = Field(50, ge=0, le=1_000_000)
    subtalker_top_k: int = Field(50, ge=0, le=1_000_000)
    top_p: float = Field(1.0, gt=0, le=1)
    subtalker_top_p: float = Field(1.0, gt=0, le=1)
    temperature: float = Field(0.9, gt=0, le=100)
    subtalker_temperature: float = Field(0.9, gt=0, le=100)
    repetition_penalty: float = Field(1.05, gt=0, le=100)
    max_new_tokens: int = Field(2048, ge=1, le=100_000)


class _CodecInput(_Part):
    feature_extractor_type: Literal["EncodecFeatureExtractor"]
    feature_size: Literal[1] = 1
    sampling_rate: Literal[24_000] = SAMPLE_RATE_HZ  # type: ignore[assignment]
    padding_value: Literal[0] = 0
    chunk_length_s: None = None
    overlap: None = None


def check_model_config(config: dict[str, Any], where: Path) -> None:
    """Check a model's ``config.json``.

    Raises:
        UserError: ``model_broken``, naming the entry.
    """
    check_sizes(config, where)
    _validate(_Model, config, where)


def check_codec_config(config: dict[str, Any], where: Path) -> None:
    """Check ``config.json`` of a 12 Hz speech tokenizer.

    Raises:
        UserError: ``model_broken``, naming the entry.
    """
    check_sizes(config, where)
    _validate(_Codec, config, where)


def check_codec_input(document: dict[str, Any], where: Path) -> None:
    """Check ``preprocessor_config.json`` of a 12 Hz speech tokenizer.

    Raises:
        UserError: ``model_broken``, naming the entry.
    """
    _validate(_CodecInput, document, where)


def sampling_defaults(document: dict[str, Any], where: Path) -> dict[str, Any]:
    """Return the known entries of ``generation_config.json``.

    Raises:
        UserError: ``model_broken``, naming the entry.
    """
    return _validate(_Generation, document, where).model_dump(exclude_unset=True)


def _validate(schema: type[_Part], document: dict[str, Any], where: Path) -> _Part:
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(each) for each in first["loc"])[:200]
        raise broken(where, f"cannot be used: {place + ': ' if place else ''}{first['msg']}") from error
