"""Check that a manifest's codes are of the base model's own tokenizer, before anything is downloaded or loaded."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from jobs.dataset.coded_fields import CodesTokenizer
from jobs.dataset.manifest import Clip, read_rows
from jobs.errors import UserError
from jobs.qwen.model_files import read_model_config
from jobs.runner.call_text import argument_text
from jobs.runner.job_kind import find_makers

RELEASED_CODES, TOY_CODES = 2048, 256  # codes of a codebook
LOOKED_AT = 20  # lines, without a model
# Codes of the released tokenizer fill its codebooks: 100 frames that stay in the range of the toy's are the toy's.
ENOUGH_CODES = 100 * 16


def check_first_rows(manifest: Path, base_model: str) -> None:
    """Compare the first lines, up to a broken one, with what a base model's name or configuration alone says.

    Raises:
        UserError: ``tokenizer_mismatch``.
    """
    if base_model == "toy":
        size = TOY_CODES
    elif Path(base_model).is_absolute():
        size = int(read_model_config(Path(base_model))["talker_config"]["code_predictor_config"]["vocab_size"])
    else:
        size = RELEASED_CODES
    rows: list[Clip] = []
    with suppress(UserError):  # the worker counts lines that cannot be read
        rows.extend(islice(read_rows(manifest, Clip), LOOKED_AT))
    for tokenizer in {row.codes_tokenizer for row in rows if row.codes_tokenizer is not None}:
        if tokenizer.codebook_size != size:
            raise _mismatch(manifest, base_model, f"{_describe(tokenizer)}, and the base model has {size} a codebook")
    if not any(row.codes_tokenizer for row in rows):
        codes = [code for row in rows for frame in row.audio_codes or [] for code in frame]
        _check_range(manifest, base_model, max(codes, default=0), len(codes), size)


def check_tokenizer_of(
    manifest: Path,
    tokenizers: Iterable[CodesTokenizer],
    highest: int,
    n_codes: int,
    own: CodesTokenizer,
    base_model: str,
) -> None:
    """Compare the tokenizers of all lines with the base model's own.

    Args:
        tokenizers: those that the lines name.
        highest: the highest code of all lines, of ``n_codes``.
        own: the base model's.
        base_model: as it was named.

    Raises:
        UserError: ``tokenizer_mismatch``.
    """
    known = {each.fingerprint: each for each in tokenizers}
    others = [each for fingerprint, each in sorted(known.items()) if fingerprint != own.fingerprint]
    if others:
        raise _mismatch(manifest, base_model, f"{_describe(others[0])}, and the base model has other codebooks")
    if not known:
        _check_range(manifest, base_model, highest, n_codes, own.codebook_size)


def _check_range(manifest: Path, base_model: str, highest: int, n_codes: int, size: int) -> None:
    if n_codes >= ENOUGH_CODES and TOY_CODES // 2 <= highest < TOY_CODES < size:
        why = f"the highest of {n_codes} codes is {highest}, and the base model has {size} a codebook: as the toy's"
        raise _mismatch(manifest, base_model, why)


def _describe(tokenizer: CodesTokenizer) -> str:
    return (
        f"they are of {tokenizer.name[:100]!r} ({tokenizer.codebook_size} a codebook, {tokenizer.fingerprint[:16]!r})"
    )


def _mismatch(manifest: Path, base_model: str, why: str) -> UserError:
    return UserError(
        "tokenizer_mismatch",
        f"The codes of {manifest} are not of the tokenizer of {base_model}: {why}.",
        f"Run {find_makers('coded')} with {argument_text('tokenizer', base_model)}, or give the base model that they "
        "belong to.",
    )
