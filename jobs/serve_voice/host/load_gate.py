"""Loading of one model at a time, while no other speaks.

``transformers`` changes what all threads share while it loads: the default number format, and how weights begin.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class LoadGate:
    """Gate that a thread passes to speak a frame, beside others, or to load, alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_speaking = 0
        self._is_loading = False

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Wait while a model is loaded, then keep others from loading."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_loading)
            self._n_speaking += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_speaking -= 1
                self._changed.notify_all()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Wait for the frames that are spoken, then keep others from speaking and loading."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_loading)
            self._is_loading = True
            self._changed.wait_for(lambda: not self._n_speaking)
        try:
            yield
        finally:
            with self._changed:
                self._is_loading = False
                self._changed.notify_all()
