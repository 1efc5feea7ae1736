"""Alignment with a journal: each clip is aligned once, however often the job is started.

Keys of the journal are hashes of all that an alignment depends on, so another job over the same clips continues too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.align.align_clip import align_clip, clip_key
from jobs.align.aligners import WordAligner
from jobs.align.params import Params
from jobs.align.trim import AlignedClip
from jobs.align.trimmed_clip import write_trimmed_clip
from jobs.asr.languages import language_code
from jobs.dataset.manifest import Clip, RejectionError, Word, check_audio_inside
from jobs.runner.worker.journal import Journal


class JournaledAligner:
    """Aligns clips one by one; results come from the journal when an earlier attempt has written them.

    Args:
        params: of the job.
        root: folder that audio paths are relative to.
        aligners: by language.
        journal: of finished clips.
    """

    def __init__(self, params: Params, root: Path, aligners: dict[str, WordAligner], journal: Journal) -> None:
        self._params = params
        self._root = root
        self._aligners = aligners
        self._journal = journal

    def align(self, row: Clip) -> AlignedClip:
        """Align a clip, or read its result from the journal.

        Raises:
            RejectionError: with the reason, which the journal holds too.
        """
        aligner = self._aligners[row.language]
        path = check_audio_inside(Path(self._params.manifest), self._root, row.audio)
        spoken = recognised_words(row)
        key = clip_key(path, row.text, f"{aligner.name} {row.language}", spoken)
        entry = self._journal.get(key)
        if entry is None:
            entry = self._align(path, row, aligner)
            self._journal.add(key, entry)
        if "reason" in entry:
            raise RejectionError(entry["reason"], entry["detail"])
        aligned = AlignedClip.model_validate(entry["aligned"])
        self._check_score(aligned.words, aligner)
        return aligned

    def write_trimmed(self, row: Clip, aligned: AlignedClip) -> Clip:
        """Write the part of a clip that is kept to a file of its own, and return its row."""
        path = check_audio_inside(Path(self._params.manifest), self._root, row.audio)
        return write_trimmed_clip(row, path, aligned)

    def _align(self, path: Path, row: Clip, aligner: WordAligner) -> dict[str, Any]:
        try:
            aligned = align_clip(path, row.text, language_code(row.language) or "", aligner, recognised_words(row))
        except RejectionError as rejected:
            return {"audio": row.audio, "reason": rejected.reason, "detail": rejected.detail}
        return {"audio": row.audio, "aligned": aligned.model_dump(exclude_defaults=True)}

    def _check_score(self, words: list[Word], aligner: WordAligner) -> None:
        given = self._params.min_word_score
        needed = aligner.default_min_score if given is None else given
        score = sum(word.score for word in words) / len(words)
        if score < needed:
            raise RejectionError("low_score", f"mean word score {score:.2f} is below {needed}")


def recognised_words(row: Clip) -> list[str] | None:
    """Return the words that ingest_audiobook recognised, where they differ from the usual reading of the text."""
    spoken = (row.model_extra or {}).get("spoken")
    return spoken if isinstance(spoken, list) and all(isinstance(word, str) for word in spoken) else None
