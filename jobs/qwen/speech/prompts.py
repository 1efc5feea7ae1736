"""Prompt of a text: what the talker reads before the first frame, built by stock's own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch

from jobs.qwen.upstream import qwen_tts


@dataclass(frozen=True)
class Prompt:
    """Input of the talker for one text.

    Attributes:
        embeddings: (positions, hidden), before the first frame.
        frame_texts: (n, hidden), text that is added to the first n frames; every later frame gets ``padding``.
        padding: (hidden,).
        suppressed: codes of codebook 0 that are never chosen.
        end: code of codebook 0 that ends the speech.
        first_end: number of frames before which the speech does not end.
    """

    embeddings: torch.Tensor
    frame_texts: torch.Tensor
    padding: torch.Tensor
    suppressed: tuple[int, ...]
    end: int
    first_end: int

    @property
    def n_positions(self) -> int:
        """Number of positions before the first frame."""
        return len(self.embeddings)


class _BuiltError(Exception):
    """End of stock's preparation; carries what stock gives to the talker."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__("the prompt is built")
        self.given = given


class Standin:
    """A module of stock with some attributes of ours; the module itself stays as it is."""

    def __init__(self, module: Any, **ours: Any) -> None:
        self._module, self._ours = module, ours

    def __getattr__(self, name: str) -> Any:
        return self._ours[name] if name in self._ours else getattr(self._module, name)


def with_model(upstream: Any, model: Any, **ours: Any) -> Any:
    """Return a ``Qwen3TTSModel`` that speaks with another model; ``ours`` are attributes to replace."""
    return qwen_tts().Qwen3TTSModel(
        model=Standin(model, **ours), processor=upstream.processor, generate_defaults=upstream.generate_defaults
    )


def _stop(**given: Any) -> None:
    raise _BuiltError(given)


def build_prompt(upstream: Any, speak: Callable[[Any], Any]) -> Prompt:
    """Build the prompt of one text.

    Stock builds the prompt and generates in one function. So that function runs here with a talker that does not
    generate: no line of it is written a second time.

    Args:
        upstream: the ``Qwen3TTSModel``.
        speak: calls the method of the ``Qwen3TTSModel`` that it is given, for one text.
    """
    standin = Standin(upstream.model, talker=Standin(upstream.model.talker, generate=_stop))
    preparing = with_model(upstream, standin, generate=MethodType(type(upstream.model).generate, standin))
    try:
        speak(preparing)
    except _BuiltError as built:
        given = built.given
    return Prompt(
        embeddings=given["inputs_embeds"][0],
        frame_texts=given["trailing_text_hidden"][0],
        padding=given["tts_pad_embed"].flatten(),
        suppressed=tuple(given["suppress_tokens"]),
        end=int(given["eos_token_id"]),
        first_end=int(given["min_new_tokens"]),
    )
