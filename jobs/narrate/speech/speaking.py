"""Takes of all passages: spoken, measured as they come, spoken again where they are doubtful, and the best kept.

Whatever is decided follows from the text, the voice and the settings, never from the order or from a kill.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jobs.cost import CHARACTERS_PER_S
from jobs.errors import UserError
from jobs.narrate.params import Params
from jobs.narrate.script.dialogue import Manner
from jobs.narrate.script.passages import Passage
from jobs.narrate.speech.hosted import speak_by_host
from jobs.narrate.speech.judge import (
    Judge,
    Judgement,
    Measure,
    judge_by_narrator,
    judge_by_usual,
    judge_end,
    load_analyzer,
)
from jobs.narrate.speech.take_store import KeptTake, SpokenTake, TakeStore
from jobs.narrate.speech.voice import Voice
from jobs.qwen.speech.sound import Speech
from jobs.qwen.speech.synthesizer import Synthesizer
from jobs.runner.worker.context import JobContext

FIRST = 1


@dataclass(frozen=True)
class Narrated:
    """The take that is used for each passage, by key, and how many takes were spoken."""

    kept: Mapping[str, KeptTake]
    n_spoken: int


class Speaking:
    """Work on the takes of one narration."""

    def __init__(
        self,
        params: Params,
        voice: Voice,
        passages: Sequence[Passage],
        store: TakeStore,
        context: JobContext,
        load_measure: Callable[[], Measure] | None = None,
    ) -> None:
        """Prepare; nothing is loaded yet.

        Args:
            params: of the narration.
            voice: that speaks.
            passages: all of the book that are read.
            store: of the takes.
            context: of the job.
            load_measure: returns the measures of a take; default: the models of the rating.
        """
        self._params, self._voice, self._store, self._context = params, voice, store, context
        self._passages = {voice.key(passage): passage for passage in passages}
        self._load_measure = load_measure or self._load_analyzer
        self._policy = _hash_policy(params)
        self._judges: dict[str | None, Judge] = {}
        self._n_spoken = 0
        self._done_min = 0.0
        self._total_min = sum(len(passage.said) for passage in passages) / CHARACTERS_PER_S / 60

    def run(self) -> Narrated:
        """Speak what is missing, decide, and delete the takes that are not used.

        Raises:
            UserError: ``passage_unknown``.
        """
        wanted = self._params.takes
        if unknown := sorted(set(wanted) - set(self._passages)):
            raise UserError(
                "passage_unknown",
                f"takes names {unknown[0]}, which is no passage of {self._params.text} with this voice.",
                "Keys are in book.json of the narration; a change of text, voice or pronunciation changes them.",
            )
        kept = {key: found for key in self._passages if (found := self._store.find_kept(key, self._policy))}
        self._done_min = sum(self._minutes(key, take.attempt) for key, take in kept.items())
        self._report(f"{len(self._passages)} passages, {len(kept)} done already")
        again = {key: number for key, number in wanted.items() if key not in kept or kept[key].attempt != number}
        open_keys = [key for key in self._passages if key not in kept and key not in again]
        self._speak(open_keys, FIRST)
        if open_keys:
            for attempt in range(FIRST, FIRST + self._params.respeak + 1):
                open_keys = self._decide(open_keys, attempt, kept)
                if open_keys:
                    self._speak(open_keys, attempt + 1)
        for number in sorted(set(again.values())):
            self._speak_again([key for key in self._passages if again.get(key) == number], number, kept)
        self._store.remove_others([(key, take.attempt) for key, take in kept.items()])
        return Narrated(kept, self._n_spoken)

    def _decide(self, keys: Sequence[str], attempt: int, kept: dict[str, KeptTake]) -> list[str]:
        """Keep each take that passes, and after the last attempt the best; return the others."""
        left = []
        for key in keys:
            judgements = [self._judge(key, number) for number in range(FIRST, attempt + 1)]
            best = max(
                range(len(judgements)), key=lambda place: (not judgements[place].reasons, judgements[place].rating)
            )
            if judgements[best].reasons and attempt <= self._params.respeak:
                left.append(key)
                continue
            chosen = judgements[best]
            kept[key] = KeptTake(attempt=FIRST + best, rating=chosen.rating, reasons=chosen.reasons)
            self._store.decide(key, self._policy, kept[key])
        return left

    def _speak_again(self, keys: Sequence[str], attempt: int, kept: dict[str, KeptTake]) -> None:
        """Speak an attempt at some passages and keep it, whatever the checks say: a person has asked for it."""
        self._speak(keys, attempt)
        for key in keys:
            found = self._judge(key, attempt)
            kept[key] = KeptTake(attempt=attempt, rating=found.rating, reasons=found.reasons)
            self._store.decide(key, self._policy, kept[key])

    def _judge(self, key: str, attempt: int) -> Judgement:
        take = self._store.find(key, attempt)
        assert take is not None, f"attempt {attempt} at {key} was not spoken"
        if take.measured is None:
            return judge_end(hit_limit=take.hit_limit)
        speaker = self._passages[key].manner.speaker
        if speaker not in self._judges:
            self._judges[speaker] = self._make_judge(speaker)
        return self._judges[speaker].judge(take.measured, hit_limit=take.hit_limit)

    def _speak(self, keys: Sequence[str], attempt: int) -> None:
        """Speak the attempts of some passages that are not there yet."""
        missing = []
        for key in keys:
            if self._store.find(key, attempt) is None:
                missing.append(key)
            elif attempt == FIRST:
                self._done_min += self._minutes(key, attempt)
        if not missing:
            return
        for manner in dict.fromkeys(self._passages[key].manner for key in missing):
            self._speak_as(manner, [key for key in missing if self._passages[key].manner == manner], attempt)

    def _speak_as(self, manner: Manner, keys: Sequence[str], attempt: int) -> None:
        """Speak the attempts at passages of one manner: by a host where one has the voice, else here."""
        for speaks in (self._speak_by_host, self._speak_here):
            missing = [key for key in keys if self._store.find(key, attempt) is None]
            if not missing:
                return
            for key, speech in speaks(manner, missing, attempt):
                self._context.raise_if_cancelled()
                self._note(key, attempt, speech)

    def _speak_by_host(self, manner: Manner, keys: Sequence[str], attempt: int) -> Iterator[tuple[str, Speech]]:
        everything = list(self._passages)
        place_of = {key: place for place, key in enumerate(everything)}
        places = [place_of[key] for key in keys]
        home, stop = self._context.settings.home, self._context.raise_if_cancelled
        passages = list(self._passages.values())
        for place, speech in speak_by_host(home, self._voice, manner, passages, places, attempt, stop):
            yield everything[place], speech

    def _speak_here(self, manner: Manner, keys: Sequence[str], attempt: int) -> Iterator[tuple[str, Speech]]:
        synthesizer = self._voice.speak_as(self._synthesizer, manner)
        # of all passages, so that each attempt of the job rounds alike
        n_slots = synthesizer.count_slots(
            [(passage.said, self._voice.decoding(passage, FIRST)) for passage in self._passages.values()]
        )
        takes = [(self._passages[key].said, self._voice.decoding(self._passages[key], attempt)) for key in keys]
        for place, speech in synthesizer.synthesize_all(takes, n_slots, self._context.raise_if_cancelled):
            yield keys[place], speech

    def _note(self, key: str, attempt: int, speech: Speech) -> None:
        """Write a take, measure it and note it."""
        path = self._store.write(key, attempt, speech.samples)
        measured = None
        if self._params.checks == "full":
            measured = self._measure(path, self._passages[key].said, self._voice.language)
        take = SpokenTake(duration_s=speech.duration_s, hit_limit=speech.hit_limit, measured=measured)
        self._store.note(key, attempt, take)
        self._n_spoken += 1
        if attempt == FIRST:
            self._done_min += speech.duration_s / 60
        again = f", take {attempt}" if attempt > FIRST else ""
        self._report(f"spoke {speech.duration_s:.1f} s{again}", rtf=speech.compute_s / max(speech.duration_s, 0.01))

    def _make_judge(self, speaker: str | None) -> Judge:
        """Make the judge of a speaker that marks name, or of the narration's own."""
        language = self._voice.language
        if self._params.checks == "ends":
            return Judge(language)
        if self._params.narrator_manifest is not None:
            manifest = Path(self._params.narrator_manifest)
            return judge_by_narrator(
                manifest, speaker or self._voice.speaker, language, self._measure, self._context.settings,
                self._context.raise_if_cancelled,
            )  # fmt: skip
        own = (key for key, passage in self._passages.items() if passage.manner.speaker == speaker)
        first = (self._store.find(key, FIRST) for key in own)
        ended = [take.measured for take in first if take and take.measured and not take.hit_limit]
        return judge_by_usual(ended, language)

    def _minutes(self, key: str, attempt: int) -> float:
        take = self._store.find(key, attempt)
        return take.duration_s / 60 if take else 0.0

    def _report(self, message: str, **metrics: float) -> None:
        total_min = max(self._total_min, self._done_min)
        of = f"{self._done_min:.1f} of about {total_min:.1f} minutes"
        self._context.progress(round(self._done_min, 3), round(total_min, 3), f"{of}: {message}", **metrics)

    def _load_analyzer(self) -> Measure:
        texts = [passage.said for passage in self._passages.values()]
        return load_analyzer(texts, self._voice.language, self._context.settings).measure

    @cached_property
    def _measure(self) -> Measure:
        return self._load_measure()

    @cached_property
    def _synthesizer(self) -> Synthesizer:
        return self._voice.load()


def _hash_policy(params: Params) -> str:
    """Hash what decides which take is kept."""
    manifest = params.narrator_manifest
    stamp = (manifest, Path(manifest).stat().st_mtime_ns) if manifest is not None else None
    return hashlib.sha256(json.dumps([params.checks, params.respeak, stamp]).encode()).hexdigest()[:8]
