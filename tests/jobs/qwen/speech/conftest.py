"""Voices of both shapes that wander, and the codes that stock generates for a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.qwen.export import write_voice
from jobs.qwen.loading import load_base
from jobs.qwen.model_info import describe_model
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.prompts import with_model
from jobs.qwen.speech.synthesizer import Synthesizer, load_synthesizer
from jobs.qwen.toy.config import Shape

Load = Callable[[Shape], Synthesizer]


@pytest.fixture(scope="session")
def load_voice(wandering_toy: Callable[[Shape], Path], tmp_path_factory: pytest.TempPathFactory) -> Load:
    """A loaded voice of either shape; our loop and stock's share its weights."""
    made: dict[str, Synthesizer] = {}

    def load(shape: Shape) -> Synthesizer:
        if shape not in made:
            base = wandering_toy(shape)
            embedding = torch.randn(64, generator=torch.Generator().manual_seed(0))
            model = load_base(base, "cpu", torch.float32).model
            folder = tmp_path_factory.mktemp("voices") / shape
            voice = write_voice(model, base, folder, voices={"fox": embedding}, card={})
            made[shape] = load_synthesizer(describe_model(voice), "cpu", speaker="fox", language="english")
        return made[shape]

    return load


class _Recorder:
    """Speech tokenizer that keeps the codes that it is given, instead of decoding them."""

    def __init__(self) -> None:
        self.codes: list[torch.Tensor] = []

    def decode(self, batch: list[dict[str, torch.Tensor]]) -> tuple[list[Any], int]:
        self.codes += [each["audio_codes"] for each in batch]
        return [each["audio_codes"].numpy() for each in batch], 24_000


@pytest.fixture(scope="session")
def stock_codes() -> Callable[..., torch.Tensor]:
    """Codes of stock's own generation, (frames, 16); a clone's without those of its reference."""

    def generate(voice: Synthesizer, text: str, decoding: Decoding, max_frames: int, **options: Any) -> torch.Tensor:
        recorder = _Recorder()
        upstream = with_model(voice.upstream, voice.upstream.model, speech_tokenizer=recorder)
        torch.manual_seed(decoding.seed)
        voice.speak_with(upstream, text, **decoding.to_stock(max_frames), **options)
        reference = None if voice.clone_prompt is None else voice.clone_prompt[0].ref_code
        return recorder.codes[0][0 if reference is None else len(reference) :]

    return generate
