"""Removal of secrets from answers: tokens by their form, credentials in URLs, values of secret variables.

A worker's log and a third party's error message may hold any of them.
"""

import re
from collections.abc import Mapping
from typing import Any

from jobs.settings import secrets_of

GONE = "[redacted]"
# Forms that services publish for their tokens: Hugging Face, GitHub, OpenAI and Anthropic, Slack, AWS, Google, JWT.
_FORMS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|sk-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}"
    r"|(?<!-)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}")
_NAMED = re.compile(
    r"(?i)((?:api[_-]?key|access[_-]?key|auth(?:orization)?|token|secret|password|passwd|signature|credential)s?"
    r"[\"']?\s*[=:]\s*[\"']?)([^\s\"'&,;)}\]]{6,})"
)
_USERINFO = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


def redact(text: str) -> str:
    """Return a text without secrets."""
    for secret in secrets_of():
        text = text.replace(secret, GONE)
    text = _FORMS.sub(GONE, text)
    text = _BEARER.sub(rf"\1 {GONE}", text)
    text = _USERINFO.sub(GONE, text)
    return _NAMED.sub(lambda found: found[1] + GONE if _is_secret(found[2]) else found[0], text)


def redacted(value: Any) -> Any:
    """Return plain data without secrets in any of its strings."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(part) for part in value]
    return value


def _is_secret(word: str) -> bool:
    """True for a value that looks like a secret, unlike those of ``max_tokens=2048`` and ``token: missing``."""
    return word != GONE and len(word) >= 8 and any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
