"""Qwen3-TTS's language names as the codes that Whisper and WhisperX use; imports no library."""

from __future__ import annotations

from jobs.errors import UserError

CODES = {
    "english": "en",
    "chinese": "zh",
    "japanese": "ja",
    "korean": "ko",
    "german": "de",
    "french": "fr",
    "russian": "ru",
    "portuguese": "pt",
    "spanish": "es",
    "italian": "it",
}
NAMES = {code: name for name, code in CODES.items()}


def language_code(language: str | None) -> str | None:
    """Two-letter code of a language given by name or code; None for ``auto`` and None (detect it).

    Raises:
        UserError: ``language_unknown``.
    """
    if language is None or language.lower() == "auto":
        return None
    name = language.strip().lower()
    if name in NAMES:
        return name
    if name not in CODES:
        raise UserError(
            "language_unknown",
            f"{language!r} is not a language that Qwen3-TTS speaks.",
            f"Use one of: {', '.join(CODES)}; or auto.",
        )
    return CODES[name]
