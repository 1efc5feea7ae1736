"""Look-up of takes by the names that a caller gives them: each file is read, and each path resolved, once a call."""

import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from jobs.dataset.takes import TAKES_NAME, Take, read_takes
from jobs.errors import UserError
from jobs.settings import Settings
from jobs.spelling import closest
from tools.inputs.paths import readable

MOST_NAMED = 20
_SPOKEN = re.compile(r"(?:(?:text|line|phrase|sentence) (?P<text>\d{1,6}),? )?take (?:no\.? )?(?P<take>\d{1,6})")


class TakeIndex:
    """Takes of a folder by file name, by path as written, and by real path; of equal names the first counts.

    And as people name them: ``take 2`` is the second of a text's takes if there is one text, or the second of the file
    if each text has one take; ``line 3 take 2`` is the second take of the third text.
    """

    def __init__(self, folder: Path, takes: Sequence[Take]) -> None:
        self.folder = folder
        self._takes = takes

    def find(self, audio: str) -> Take | None:
        """Return the take that a name or a path in the folder stands for; None when there is none."""
        if "\0" in audio:
            return self._by_name.get(audio)
        return self._by_name.get(audio) or self._by_path.get(self._real(audio)) or self._by_words(audio)

    def get(self, audio: str) -> Take:
        """Return the same.

        Raises ``UserError``: ``take_unknown``, with the nearest name.
        """
        take = self.find(audio)
        if take is not None:
            return take
        names = [Path(take.audio).name for take in self._takes]
        near = closest(Path(audio).name, names)
        raise UserError(
            "take_unknown",
            f"No take {audio!r} in {self.folder / TAKES_NAME}."
            + (f" Did you mean {near!r}?" if near else "")
            + f" The takes: {', '.join(names[:MOST_NAMED])}.",
            "Nothing was stored. Name takes of that file.",
        )

    @cached_property
    def _by_name(self) -> dict[str, Take]:
        takes = list(reversed(self._takes))
        return {Path(take.audio).name: take for take in takes} | {take.audio: take for take in takes}

    @cached_property
    def _by_path(self) -> dict[str, Take]:
        return {self._real(take.audio): take for take in reversed(self._takes) if "\0" not in take.audio}

    def _by_words(self, said: str) -> Take | None:
        """Return the take that words such as ``take 2`` name beyond doubt, or the take whose stem is meant."""
        plain = " ".join(said.lower().replace("_", " ").replace("#", " ").split())
        stems = [take for take in self._takes if Path(take.audio).stem.lower() == plain]
        if stems:
            return stems[0]
        named = _SPOKEN.fullmatch(plain)
        if named is None:
            return None
        number = int(named["take"])
        texts = list(dict.fromkeys(take.text for take in self._takes))
        if named["text"] is not None:
            place = int(named["text"])
            chosen = [take for take in self._takes if 0 < place <= len(texts) and take.text == texts[place - 1]]
        elif len(texts) == 1 or len(texts) == len(self._takes):
            chosen = list(self._takes)
        else:
            return None
        return chosen[number - 1] if 0 < number <= len(chosen) else None

    def _real(self, audio: str) -> str:
        return os.path.realpath(self.folder / audio)


class OtherTakes:
    """Takes that are compared with those of a folder, there or elsewhere."""

    def __init__(self, known: TakeIndex, settings: Settings) -> None:
        self._known = known
        self._settings = settings
        self._models: dict[Path, dict[str, str]] = {}

    def find(self, audio: str) -> tuple[str, str]:
        """Return a take's path, relative to the folder, and its model; empty: unknown.

        Raises ``UserError``: ``take_unknown``, ``path_outside_roots``, ``path_unusable``, or those of ``read_takes``.
        """
        take = self._known.find(audio)
        if take is not None:
            return take.audio, take.model
        path = readable(audio, "votes.against", self._settings)
        if not path.is_file():
            raise UserError("take_unknown", f"There is no {path}.", "Nothing was stored. Name a take or a wav.")
        model = self._models_in(path.parent).get(path.name, "")
        return os.path.relpath(path, os.path.realpath(self._known.folder)), model

    def _models_in(self, folder: Path) -> dict[str, str]:
        """Models of the takes of a folder by the takes' names."""
        if folder not in self._models:
            there = folder / TAKES_NAME
            takes = read_takes(there) if there.is_file() else []
            self._models[folder] = {take.audio: take.model for take in reversed(takes)}
        return self._models[folder]
