"""The training contract: what generation does is what training predicts, in all 16 codebooks.

Greedy generation of a tiny random model is fed back as training data; the training forward pass must predict it.
Generation's repetition penalty is set to 1; the tokens that it may never choose (the last 1024 ids except EOS, and EOS
in the first two frames) are taken out of the training logits in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.qwen.export import write_voice
from jobs.qwen.toy.config import Shape
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.train.loss import Predictions, predict
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, collate, tokenise_instruct, tokenise_text
from jobs.qwen.upstream import qwen_tts
from jobs.training.data.manifest_reader import read_coded_rows

TEXT = "hello there, said the quick fox"
SHAPES: list[Shape] = ["0.6b", "1.7b"]
INSTRUCT = "slowly, she said"
LANGUAGES = ["auto", "english", "german"]
GREEDY = {"do_sample": False, "subtalker_dosample": False, "repetition_penalty": 1.0, "max_new_tokens": 26}


@pytest.fixture
def embedding() -> torch.Tensor:
    """(64,) a voice as loud as the toy's other embeddings."""
    return torch.randn(64, generator=torch.Generator().manual_seed(1)) * 0.1


def batch_of(base: Any, codes: torch.Tensor, language: str, embedding: torch.Tensor, instruct: str = "") -> Batch:
    """A short and a long clip side by side, so that padding is part of the test."""
    text, how = tokenise_text(base, TEXT), tokenise_instruct(base, instruct)
    clips = [Example(text, part, language, embedding, how) for part in (codes[:7], codes)]
    return collate(clips, ControlIds.from_config(base.model.config))


@dataclass
class CodeRecorder:
    """Speech tokenizer that keeps the codes that it is given, instead of decoding them."""

    codes: list[torch.Tensor] = field(default_factory=list)

    def decode(self, batch: list[dict[str, torch.Tensor]]) -> tuple[list[Any], int]:
        self.codes += [each["audio_codes"] for each in batch]
        return [each["audio_codes"].numpy() for each in batch], 24_000


def agreement(predictions: Predictions, batch: Batch, ids: ControlIds) -> tuple[float, float]:
    """Share of frames by codebook 0, and share of codes of codebooks 1 to 15, predicted as generated."""
    talker = predictions.talker.clone()
    vocabulary = talker.shape[-1]
    suppressed = [token for token in range(vocabulary - 1024, vocabulary) if token != ids.codec_eos]
    talker[:, suppressed] = -torch.inf
    clip_starts = torch.tensor([0, 8])  # 7 frames and an EOS, then the long clip
    talker[torch.cat([clip_starts, clip_starts + 1]), ids.codec_eos] = -torch.inf
    first = talker.argmax(-1)[batch.frame_in_labels] == batch.codes[:, 0]
    others = predictions.predictor.argmax(-1) == batch.codes[:, 1:]
    return first.float().mean().item(), others.float().mean().item()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_generation_fed_back_is_predicted_in_all_16_books(
    shape: Shape,
    language: str,
    load_toy: Callable[[Shape], Any],
    generate: Callable[..., torch.Tensor],
    embedding: torch.Tensor,
) -> None:
    base = load_toy(shape)
    codes = generate(base, language, embedding)
    batch = batch_of(base, codes, language, embedding)

    with torch.no_grad():
        predictions = predict(base.model, batch)

    assert len(torch.unique(codes[:, 0])) > 10  # the toy wanders, or a shift could hide
    assert agreement(predictions, batch, ControlIds.from_config(base.model.config)) == (1.0, 1.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_generation_with_an_instruct_is_predicted_with_it_and_not_without(
    shape: Shape,
    language: str,
    load_toy: Callable[[Shape], Any],
    generate: Callable[..., torch.Tensor],
    embedding: torch.Tensor,
) -> None:
    base = load_toy(shape)
    ids = ControlIds.from_config(base.model.config)
    codes = generate(base, language, embedding, instruct=tokenise_instruct(base, INSTRUCT))
    batch = batch_of(base, codes, language, embedding, INSTRUCT)

    with torch.no_grad():
        predictions, without = (
            predict(base.model, each) for each in (batch, batch_of(base, codes, language, embedding))
        )

    assert agreement(predictions, batch, ids) == (1.0, 1.0)
    assert agreement(without, batch, ids)[0] < 0.9  # it matters


def test_an_export_speaks_in_stock_with_speaker_language_and_instruct_what_training_predicts(
    load_toy: Callable[[Shape], Any], wandering_toy: Callable[[Shape], Path], embedding: torch.Tensor, tmp_path: Path
) -> None:
    base, heard = load_toy("1.7b"), CodeRecorder()
    voice = write_voice(base.model, wandering_toy("1.7b"), tmp_path / "voice", voices={"fox": embedding}, card={})
    stock = qwen_tts().Qwen3TTSModel.from_pretrained(str(voice), dtype=torch.float32)
    stock.model.speech_tokenizer = heard
    stock.generate_custom_voice(TEXT, "fox", "german", instruct=INSTRUCT, **GREEDY)

    batch = batch_of(base, heard.codes[0], "german", embedding, INSTRUCT)
    with torch.no_grad():
        predictions = predict(base.model, batch)

    assert agreement(predictions, batch, ControlIds.from_config(base.model.config)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "options"),
    [("0.6b", {}), ("1.7b", {}), ("1.7b", {"use_dora": True}), ("0.6b", {"use_dora": True, "use_rslora": True})],
)
def test_a_merged_export_generates_what_training_with_adapters_predicts(
    shape: Shape,
    options: dict[str, bool],
    load_toy: Callable[[Shape], Any],
    wandering_toy: Callable[[Shape], Path],
    embedding: torch.Tensor,
    tmp_path: Path,
) -> None:
    base = load_toy(shape)
    torch.manual_seed(0)
    add_adapters(base.model, r=4, alpha=8, dropout=0.0, **options)
    before = {name: tensor.clone() for name, tensor in base.model.state_dict().items()}
    with torch.no_grad():
        for name, parameter in base.model.named_parameters():
            if "lora_B" in name:  # adapters start as nothing: give them something to say
                parameter.normal_(std=0.2)
            if "lora_magnitude_vector" in name:
                parameter.mul_(torch.rand(len(parameter)) + 0.5)
    voice = write_voice(base.model, wandering_toy(shape), tmp_path / "voice", voices={"fox": embedding}, card={})

    upstream = qwen_tts().Qwen3TTSModel.from_pretrained(str(voice), dtype=torch.float32)
    codes, _ = upstream.model.generate(
        input_ids=upstream._tokenize_texts([upstream._build_assistant_text(TEXT)]),
        languages=["english"],
        speakers=["fox"],
        non_streaming_mode=True,
        **GREEDY,
    )
    batch = batch_of(base, codes[0], "english", embedding)
    with torch.no_grad():
        with_adapters = predict(base.model, batch)
        base.model.load_state_dict(before)
        without = predict(base.model, batch)

    ids = ControlIds.from_config(base.model.config)
    assert agreement(with_adapters, batch, ids) == (1.0, 1.0)
    assert agreement(without, batch, ids)[0] < 0.5  # the adapters matter, so the merge was tested


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_without_a_language_is_predicted_as_stock_speaks_with_auto_and_with_nothing(
    shape: Shape,
    load_toy: Callable[[Shape], Any],
    wandering_toy: Callable[[Shape], Path],
    embedding: torch.Tensor,
    tmp_path: Path,
) -> None:
    base, heard = load_toy(shape), CodeRecorder()
    voice = write_voice(base.model, wandering_toy(shape), tmp_path / "voice", voices={"fox": embedding}, card={})
    stock = qwen_tts().Qwen3TTSModel.from_pretrained(str(voice), dtype=torch.float32)
    stock.model.speech_tokenizer = heard
    for language in ("Auto", None):
        stock.generate_custom_voice(TEXT, "fox", language, **GREEDY)
    row = {"audio": "a.wav", "text": TEXT, "audio_codes": heard.codes[0].tolist()}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")

    ids = ControlIds.from_config(base.model.config)
    rows = read_coded_rows(tmp_path / "rows.jsonl", languages=list(ids.languages), codebook_size=256, max_clip_s=30)
    batch = batch_of(base, rows.accepted[0].codes, rows.accepted[0].language, embedding)
    with torch.no_grad():
        predictions = predict(base.model, batch)

    assert torch.equal(heard.codes[0], heard.codes[1])
    assert agreement(predictions, batch, ids) == (1.0, 1.0)


def doubled_shift(batch: Batch, base: Any) -> Batch:
    """Upstream's first error: labels shifted once more, so that a position learns the frame after the next."""
    return replace(batch, labels=batch.labels.roll(-1))


def leaked_hidden(batch: Batch, base: Any) -> Batch:
    """Upstream's second error: the state of the frame's own position, which has already heard the frame."""
    last_position = batch.text.numel() - 1  # of the last EOS, which is not looked at
    return replace(batch, predict_at=(batch.predict_at + 1).clamp(max=last_position))


def shifted_books(batch: Batch, base: Any) -> Batch:
    """Upstream's third error: a head learns the codebook after its own."""
    return replace(batch, codes=torch.cat([batch.codes[:, :1], batch.codes[:, 1:].roll(-1, dims=1)], dim=1))


def skipped_projection(batch: Batch, base: Any) -> Batch:
    """Upstream's fourth error: text embeddings put in as they are."""
    base.model.talker.text_projection = torch.nn.Identity()
    return batch


@pytest.mark.parametrize(
    ("mutate", "part"), [(doubled_shift, 0), (leaked_hidden, 1), (shifted_books, 1), (skipped_projection, 0)]
)
def test_each_of_upstreams_errors_put_back_breaks_the_contract(
    mutate: Callable[[Batch, Any], Batch],
    part: int,
    load_toy: Callable[[Shape], Any],
    generate: Callable[..., torch.Tensor],
    embedding: torch.Tensor,
) -> None:
    base = load_toy("1.7b")
    codes = generate(base, "english", embedding)
    wrong = mutate(batch_of(base, codes, "english", embedding), base)

    with torch.no_grad():
        predictions = predict(base.model, wrong)

    targets = torch.cat([wrong.labels[wrong.frame_in_labels][:, None], wrong.codes[:, 1:]], dim=1)
    agreed = agreement(predictions, replace(wrong, codes=targets), ControlIds.from_config(base.model.config))
    assert agreed[part] < 0.5
