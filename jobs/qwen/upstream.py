"""Import of the upstream ``qwen_tts`` package, once and without its output. Nothing else imports it.

Its 25 Hz half, which is not used here, prints a flash-attn banner and runs ``sox -h`` when imported.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from jobs.imports import collection_paused


def qwen_tts() -> ModuleType:
    """Import ``qwen_tts`` (4 to 20 s the first time) and return it."""
    if "qwen_tts" not in sys.modules:
        logging.getLogger("sox").setLevel(logging.ERROR)
        with collection_paused(), _silent_descriptors(), _as_if_missing("torchvision", "sklearn"):
            import qwen_tts as package
            from transformers.utils import logging as transformers_logging
        # a warning per generate call about pad_token_id and one per load about rope keys; both are harmless
        transformers_logging.set_verbosity_error()
        return package  # type: ignore[no-any-return]
    return sys.modules["qwen_tts"]


@contextmanager
def _as_if_missing(*packages: str) -> Iterator[None]:
    """Hide optional packages from imports within, unless they are loaded already.

    transformers imports them if installed, for images and for assisted generation, which are not used here; that takes
    2 of the 6 seconds that a job needs to start (measured). Afterwards they can be imported as before.
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
    """Redirect file descriptors 1 and 2 to the null device: the shell that looks for sox writes to them directly."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        yield
    finally:
        sys.stdout.flush()
        for number, descriptor in enumerate(saved, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(null)
