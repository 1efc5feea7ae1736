"""The stock ``qwen_tts`` package, imported once and without its noise. Nothing else imports it.

Its 25 Hz half, which we never use, prints a flash-attn banner and runs ``sox -h`` when imported.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def qwen_tts() -> ModuleType:
    """Import ``qwen_tts`` (4 to 20 s the first time) and return it."""
    if "qwen_tts" not in sys.modules:
        logging.getLogger("sox").setLevel(logging.ERROR)
        with _silent_descriptors(), _as_if_missing("torchvision", "sklearn"):
            import qwen_tts as package
            from transformers.utils import logging as transformers_logging
        # one warning a generate call about pad_token_id, one a load about rope keys: known, harmless
        transformers_logging.set_verbosity_error()
        return package  # type: ignore[no-any-return]
    return sys.modules["qwen_tts"]


@contextmanager
def _as_if_missing(*packages: str) -> Iterator[None]:
    """Import as if optional packages were not installed, unless they are loaded already.

    transformers loads whichever it finds, for pictures and for assisted generation, which nothing here uses: 2 of 6
    seconds of every job (measured). Afterwards they can be imported as ever.
    """
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _silent_descriptors() -> Iterator[None]:
    """Send file descriptors 1 and 2 to nowhere: the shell that looks for sox writes to them, past ``sys.stderr``."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stdout.flush()
        for number, descriptor in enumerate(saved, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(nowhere)
