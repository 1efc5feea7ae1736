"""WhisperX's forced alignment: a wav2vec2 model hears the audio, each known word gets a time and a score.

The models, their dictionaries and the meaning of times and scores are WhisperX's; the search is torchaudio's compiled
one (``jobs.asr.ctc_alignment``). A clip is heard by itself: the models normalise over time, so that what fills up a
batch would change what is heard. ``whisperx.align`` itself is not called: it needs NLTK's sentence splitter
(a download), guesses times for what its model cannot read, and reports failures only to its log.
"""

import contextlib
import logging
import pickle
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.asr.ctc_alignment import Span, character_spans
from jobs.asr.ctranslate2_cuda import translate_cuda_error
from jobs.asr.model_registry import BUNDLE_FILES, DEFAULT_MODELS, is_on_disk, language_code
from jobs.asr.transcript import Word
from jobs.asr.wav2vec2_folder import load_wav2vec2
from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.model_folders.contents import broken

logger = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 320  # of every wav2vec2: the product of its convolutions' strides
MIN_SAMPLES = 400  # its receptive field
# Attention grows with the square of the length: 60 GB at 7-8 minutes (m-bain/whisperX issue 311).
WINDOW_S = 30
CONTEXT_S = 1
WITHOUT_SPACES = ("ja", "zh")


class CannotAlign(Exception):
    """This audio and these words do not go together; the message says why. Data, to be counted as a rejection."""


class Aligner:
    """A wav2vec2 model for one language, in memory. Make one per run and language."""

    def __init__(self, language: str, model: str | None = None, device: str = "auto") -> None:
        """Load the model, from the disk when it is there, else from the network.

        ``model`` is a hub id, directory or torchaudio bundle; None takes WhisperX's choice for the language.
        ``device``: ``auto`` (the GPU when there is one), ``cuda`` or ``cpu``.

        Raises ``UserError``: ``language_unknown``, ``model_unavailable``, ``model_broken``, ``model_without_weights``,
        ``path_outside_model``, ``cuda_oom``, ``cuda_failed``.
        """
        import torch

        code = language_code(language)
        if code is None:
            raise UserError("language_unknown", "An aligner needs the language of the words, not auto.", "Name it.")
        self.model = model or DEFAULT_MODELS[code]
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        is_here = alignment_model_is_available(language, model)
        # every name of torchaudio's is in capitals
        self._is_bundle = self.model.isupper() and "/" not in self.model and not Path(self.model).is_dir()
        try:
            if self._is_bundle:
                network, dictionary = _load_bundle(code, self.model, self.device)
            else:
                network, dictionary = load_wav2vec2(self.model, is_on_disk=is_here)
            self._network = network.to(self.device)
        except (OSError, ValueError) as error:
            raise _unavailable(self.model, str(error)) from error
        except RuntimeError as error:
            raise translate_cuda_error(error, self.model) or _unavailable(self.model, str(error)) from error
        self._network.eval()
        self._alphabet = Alphabet(dictionary, separates_words=code not in WITHOUT_SPACES)

    def align(self, samples_16k: npt.NDArray[np.float32], words: Sequence[str]) -> list[Word]:
        """Find when each of the known words (letters only, numbers written out) is spoken.

        Words that are not spoken get times all the same, with low scores: forced alignment does not detect them.
        ``samples_16k`` is (n,) mono; longer than 30 s is heard in windows. Each word is at least one frame (20 ms) long
        and inside the audio. The last letter of the last word ends where it is surest, often before its sound does (as
        in WhisperX).

        Raises ``CannotAlign``: no words, a character the model does not know, more characters than frames;
        ``UserError``: ``cuda_oom``, ``cuda_failed``, ``cuda_libraries_missing``.
        """
        tokens, owners = self._alphabet.tokens(words)
        if len(samples_16k) < MIN_SAMPLES:
            raise CannotAlign(f"{len(samples_16k) / SAMPLE_RATE_HZ:.3f} s of audio is too short")
        emission = self._emission(samples_16k)
        spans = character_spans(emission, tokens, self._alphabet.blank)
        if spans is None:
            raise CannotAlign(f"{len(tokens)} characters do not fit the {len(emission)} frames of audio")
        seconds_per_frame = len(samples_16k) / SAMPLE_RATE_HZ / len(emission)
        return [
            _word(word, [span for span, owner in zip(spans, owners, strict=True) if owner == index], seconds_per_frame)
            for index, word in enumerate(words)
        ]

    def _emission(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Log probabilities (frames, labels) of the whole audio, computed window by window."""
        try:
            parts = [self._hear(samples[window.start : window.stop])[keep] for window, keep in windows(len(samples))]
        except RuntimeError as error:
            cuda = translate_cuda_error(error, f"Alignment with {self.model}")
            if cuda is None:
                raise
            raise cuda from error
        return np.concatenate(parts)

    def _hear(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(samples))[None].to(self.device)
            logits = self._network(batch)[0] if self._is_bundle else self._network(batch).logits
            emission: npt.NDArray[np.float32] = torch.log_softmax(logits.float(), dim=-1)[0].cpu().numpy()
        return emission


def _load_bundle(language: str, name: str, device: str) -> tuple[Any, dict[str, int]]:
    """Load one of torchaudio's bundles by WhisperX, from torch's cache or PyTorch's server.

    A worker's environment lets torch load weights only, no other objects: a file in a cache may be anybody's.

    Raises ``UserError``: ``model_broken``; the errors of WhisperX and torch when it cannot be had.
    """
    import whisperx

    try:
        with contextlib.redirect_stdout(sys.stderr):  # whisperx prints what went wrong
            network, about = whisperx.load_align_model(language, device, model_name=name)
    except (pickle.UnpicklingError, EOFError) as error:
        raise broken(Path(name), f"does not load: {str(error)[:300]}") from error
    return network, about["dictionary"]


class Alphabet:
    """Characters of a wav2vec2 model, and the spelling of words with them."""

    def __init__(self, dictionary: Mapping[str, int], *, separates_words: bool) -> None:
        """Use a dictionary of ``whisperx.load_align_model``; Chinese and Japanese do not separate words."""
        self.blank = next((i for label, i in dictionary.items() if label in ("[pad]", "<pad>")), 0)
        self._separator = dictionary.get("|") if separates_words else None
        self._letters = {
            label: i for label, i in dictionary.items() if len(label) == 1 and label != "|" and i != self.blank
        }

    def tokens(self, words: Sequence[str]) -> tuple[list[int], list[int | None]]:
        """Spell words: ids of the characters, and for each the index of its word (None: a separator).

        Raises ``CannotAlign``: no words, or a word with a letter or digit that has no label. A wildcard in its place,
        WhisperX's way, would be a guess with a good score.
        """
        if not words:
            raise CannotAlign("there are no words")
        tokens: list[int] = []
        owners: list[int | None] = []
        for index, word in enumerate(words):
            if index and self._separator is not None:
                tokens.append(self._separator)
                owners.append(None)
            spelt = [token for character in word for token in self._spell(character, word)]
            if not spelt:
                raise CannotAlign(f"{word!r} has no letters")
            tokens += spelt
            owners += [index] * len(spelt)
        return tokens, owners

    def _spell(self, character: str, word: str) -> Iterator[int]:
        for form in (character.lower(), {"’": "'", "ß": "ss"}.get(character, ""), _base_letters(character)):
            if form and all(letter in self._letters for letter in form):
                yield from (self._letters[letter] for letter in form)
                return
        if character.isalnum():
            raise CannotAlign(f"the aligner's model knows no {character!r} (in {word!r})")


def alignment_model_is_available(language: str, model: str | None = None, *, torch_cache: Path | None = None) -> bool:
    """True when the model for the language lies on this machine, so that it loads without network.

    ``model`` is a hub id, directory or torchaudio bundle; None takes WhisperX's choice for the language. With
    ``torch_cache``, WhisperX's choices are looked up without importing torch.
    """
    code = language_code(language)
    name = model or (DEFAULT_MODELS.get(code) if code else None)
    if name is None:
        return False
    from huggingface_hub.constants import HF_HUB_CACHE

    is_bundle = not expand_user(name).is_dir() and "/" not in name and name not in BUNDLE_FILES
    bundle_file = _bundle_file(name) if is_bundle else None
    return is_on_disk(name, _torch_hub(torch_cache), Path(HF_HUB_CACHE), bundle_file)


def _bundle_file(name: str) -> str | None:
    import torchaudio

    bundle = getattr(torchaudio.pipelines, name, None)
    return Path(bundle._path).name if bundle is not None else None


def _torch_hub(torch_cache: Path | None) -> Path:
    if torch_cache is not None:
        return torch_cache / "hub"
    import torch

    return Path(torch.hub.get_dir())


def windows(n_samples: int) -> Iterator[tuple[range, slice]]:
    """Samples to hear at once, and which of their frames to keep, so that the kept ones make up the whole.

    Windows overlap by ``CONTEXT_S`` on either side, and start on the model's frames.
    """
    step = (WINDOW_S - 2 * CONTEXT_S) * SAMPLE_RATE_HZ
    context = CONTEXT_S * SAMPLE_RATE_HZ
    if n_samples <= WINDOW_S * SAMPLE_RATE_HZ:
        yield range(n_samples), slice(None)
        return
    for start in range(0, n_samples, step):
        first = max(start - context, 0)
        is_last = start + step + context >= n_samples
        n_before = (start - first) // HOP_SAMPLES
        keep = slice(n_before, None if is_last else n_before + step // HOP_SAMPLES)
        yield range(first, n_samples if is_last else start + step + context), keep
        if is_last:
            return


def _base_letters(character: str) -> str:
    """The letter without its accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", character.lower()) if not unicodedata.combining(c))


def _word(word: str, spans: Sequence[Span], seconds_per_frame: float) -> Word:
    return Word(
        word=word,
        start_s=round(spans[0].start * seconds_per_frame, 3),
        end_s=round(spans[-1].end * seconds_per_frame, 3),
        score=round(float(np.mean([span.score for span in spans])), 3),
    )


def _unavailable(model: str, why: str) -> UserError:
    return UserError(
        "model_unavailable",
        f"The alignment model {model!r} is not on this machine and could not be loaded: {why}",
        "Give align_model=DIR of a wav2vec2 CTC model, or run where there is network; for English, "
        "aligner=pocketsphinx needs no model.",
    )
