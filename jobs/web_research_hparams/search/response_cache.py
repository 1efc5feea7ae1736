"""Cache of responses with their dates, in the home's ``research_cache/``.

Responses are stored unparsed, so that the current parsers and rules apply to them.
"""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.files.atomic_io import write_json
from jobs.files.folders import make_folder, remove

MAX_ENTRIES = 400
DAY_S = 86_400.0


@dataclass(frozen=True)
class CachedResponse:
    """A response and its age."""

    text: str
    age_days: float


class ResponseCache:
    """A folder of responses."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        """Use a folder in the home; it is created with the first entry."""
        self._folder, self._now = folder, now

    def get(self, source: str, identity: str) -> CachedResponse | None:
        """Return the last response, of any age; None: there is none, or it cannot be read."""
        try:
            entry = json.loads(self._path(source, identity).read_text(encoding="utf-8"))
            age_s = self._now() - float(entry["fetched_at"])
            text = entry["text"]
            return CachedResponse(text, max(0.0, age_s) / DAY_S) if entry["identity"] == identity else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, source: str, identity: str, text: str) -> None:
        """Store a response. A full disk is not an error."""
        with suppress(OSError):
            make_folder(self._folder)
            entry = {"source": source, "identity": identity, "fetched_at": self._now(), "text": text}
            write_json(self._path(source, identity), entry)
            oldest = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for path in oldest[:-MAX_ENTRIES]:
                remove(path)

    def _path(self, source: str, identity: str) -> Path:
        return self._folder / f"{source}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}.json"
