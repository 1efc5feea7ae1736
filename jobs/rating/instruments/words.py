"""Words one by one: which word of a text was skipped, repeated, added or misread, and where.

A recogniser that knows only the words of the text (and, if there is one, Whisper) proposes changes; forced alignment
decides. Its evidence is how much better the audio fits the changed text than the true one, as a natural log. Old
spellings and names that a recogniser mishears give no evidence, and the limit is above whatever the narrator's own
clips give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rapidfuzz.distance import Levenshtein

from jobs.asr.pocketsphinx_asr import Fit, Recogniser
from jobs.audio.clip_io import Samples
from jobs.rating.instruments.instrument import MARGIN, Check, Instrument, fit_reference, rises
from jobs.speaker.narrator_profile import Reference
from jobs.text.english_normalization import spoken_map

WORDS = Instrument(
    name="words one by one",
    version="1",
    licence="own code over pocketsphinx 5.1.1 (BSD-2-Clause)",
    cost=0.05,
    hears="a content word skipped, repeated or added, and which it is; English only",
    does_not_hear="a homophone, a wrong ending, most function words, a name said another way",
)
CHANGED = "word_changed"
"""Name of the reference of the evidence."""
WRONG_WORDS = "words_wrong"
"""Name of the reference of the word error rate, and code of its fault."""

WRONG_SHARE, MOST_WRONG_SHARE = 0.22, 0.40  # 2 of 53 real clips have 0.21, none more; a missing tenth gives 0.24
_MISHEARD = 2  # words of a short text that a recogniser may miss: single words are judged by their evidence

LEAST_EVIDENCE = 40.0  # clean clips of two narrators stay under 30, nine of ten true changes are above 80
MOST_EVIDENCE = 160.0
MISREAD_EVIDENCE = 200.0  # the best of hundreds of other words always fits a little better; an "i.e." gave 147
SHORT_WORD_EVIDENCE = 80.0  # a short word that is added fits into an unusual name a little better; an "an" gave 50
_SHORT_WORD = 3  # letters
_UNALIGNED = 300.0  # evidence of a change without which the text does not align at all
_SECOND_WITNESS = 30.0  # added when two recognisers propose the same change
_MOST_PROPOSALS = 8
_MOST_SHARE = 0.4  # of the words; beyond, another text is spoken, and words one by one say nothing


class WordChange(BaseModel):
    """One word of the text that the audio has otherwise.

    Attributes:
        index: of the word in the text, from 0; of an added word, the one that it comes before.
        word: of the text; of a repeated or added word, the one that is too much.
        heard: instead of a misread word.
        at_s: where, in seconds.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["skipped", "repeated", "added", "misread"]
    index: int
    word: str
    heard: str = ""
    at_s: float
    evidence: float

    def __str__(self) -> str:
        said = f"{self.kind} {self.word!r}" + (f" as {self.heard!r}" if self.heard else "")
        return f"{said} at {self.at_s:.1f} s"


@dataclass(frozen=True)
class _Proposal:
    """A change of the text: words from ``start`` to ``end`` are replaced with ``said``."""

    start: int
    end: int
    said: tuple[str, ...]

    def apply(self, words: Sequence[str]) -> list[str]:
        return [*words[: self.start], *self.said, *words[self.end :]]


def find_changes(
    recogniser: Recogniser,
    speech: Samples,
    words: Sequence[str],
    heard: Sequence[Sequence[str]],
    true: Fit | None,
) -> list[WordChange]:
    """Find changed words, the surest first.

    Args:
        recogniser: decides by forced alignment.
        speech: mono at 16 kHz.
        words: of the text.
        heard: what recognisers heard, one after another; each proposes changes.
        true: the words themselves, aligned; None: they do not align.
    """
    proposed = [_proposals(words, each) for each in heard]
    proposals = list(dict.fromkeys(each for some in proposed for each in some))
    if not proposals or min(map(len, proposed)) > max(2.0, _MOST_SHARE * len(words)):
        return []
    found = []
    for proposal in proposals[:_MOST_PROPOSALS]:
        fit = recogniser.fit(speech, proposal.apply(words))
        if fit is None:
            continue
        evidence = _UNALIGNED if true is None else fit.log_score - true.log_score
        if sum(proposal in some for some in proposed) > 1:
            evidence += _SECOND_WITNESS
        if evidence > 0:
            found.append(_change(proposal, words, fit, round(evidence, 1)))
    surest: dict[tuple[str, str], WordChange] = {}
    for change in sorted(found, key=lambda each: -each.evidence):
        surest.setdefault((change.kind, change.word), change)  # before or after the word: the same repetition
    return list(surest.values())


def _proposals(words: Sequence[str], heard: Sequence[str]) -> list[_Proposal]:
    return [
        _Proposal(edit.src_start, edit.src_end, tuple(heard[edit.dest_start : edit.dest_end]))
        for edit in Levenshtein.opcodes(words, heard)
        if edit.tag != "equal"
    ]


def _change(proposal: _Proposal, words: Sequence[str], fit: Fit, evidence: float) -> WordChange:
    start, end, said = proposal.start, proposal.end, proposal.said
    place = min(start, len(fit.words) - 1)
    at_s = round(fit.words[place].start_s, 2) if fit.words else 0.0
    of_text, of_audio = " ".join(words[start:end]), " ".join(said)
    if not said:
        return WordChange(kind="skipped", index=start, word=of_text, at_s=at_s, evidence=evidence)
    if start == end:
        around = (tuple(words[max(0, start - len(said)) : start]), tuple(words[start : start + len(said)]))
        kind: Literal["repeated", "added"] = "repeated" if said in around else "added"
        return WordChange(kind=kind, index=start, word=of_audio, at_s=at_s, evidence=evidence)
    return WordChange(kind="misread", index=start, word=of_text, heard=of_audio, at_s=at_s, evidence=evidence)


def evidence_limit(change: WordChange, reference: Reference) -> float:
    """Return the evidence above which a change is no doubt any more; ``reference`` is fitted on the narrator."""
    if change.kind == "misread":
        return max(MISREAD_EVIDENCE, reference.limit)
    if change.kind == "added" and len(change.word) <= _SHORT_WORD:
        return max(SHORT_WORD_EVIDENCE, reference.limit)
    return reference.limit


def mark_changes(text: str, changes: Sequence[WordChange]) -> str:
    """Return an English text with its changes in place, at the second where each is heard.

    ``They [skipped: bit, 1.2 s] the knots [repeated: knots, 2.0 s] until ...``.
    """
    spoken = spoken_map(text)
    marked, end = [], len(text)
    for change in sorted(changes, key=lambda each: -each.index):
        said = f"[{change.kind}: {change.word}" + (f" as {change.heard}" if change.heard else "")
        n_words = 0 if change.kind in ("repeated", "added") else max(1, len(change.word.split()))
        place = min(change.index, len(spoken))
        start = spoken[place].start if place < len(spoken) else len(text)
        until = spoken[min(place + n_words, len(spoken)) - 1].end if n_words and place < len(spoken) else start
        until = min(max(start, until), end)
        marked.append(f"{said}, {change.at_s:.1f} s]" + ("" if n_words else " ") + text[until:end])
        end = min(start, end)
    return text[:end] + "".join(reversed(marked))


def fit_wrong_words(rates: Sequence[float | None], min_clips: int) -> dict[str, Reference]:
    """Fit the limit of the word error rate on the rates of the narrator's clips; empty if too few are known."""
    check = Check(WRONG_WORDS, None, rises, WRONG_SHARE, MOST_WRONG_SHARE, "")
    reference = fit_reference(check, [[] if rate is None else [rate] for rate in rates], min_clips)
    return {} if reference is None else {WRONG_WORDS: reference}


def wrong_words_limit(references: Mapping[str, Reference], n_words: int) -> float:
    """Return the word error rate from which words of a text are wrong, by the narrator's own spread if known."""
    reference = references.get(WRONG_WORDS)
    own = WRONG_SHARE if reference is None else reference.own[0] + reference.limit
    return max(own, (_MISHEARD + 0.5) / max(1, n_words))


def fit_evidence(own: Sequence[Sequence[WordChange]]) -> Reference:
    """Fit the limit of the evidence on the narrator's clips, each with its changes."""
    worst = max((each.evidence for changes in own for each in changes if each.kind != "misread"), default=0.0)
    limit = min(max(MARGIN * worst, LEAST_EVIDENCE), MOST_EVIDENCE)
    return Reference((0.0,), round(limit, 1), len(own))
