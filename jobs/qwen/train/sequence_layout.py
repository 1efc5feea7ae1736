"""Input sequence of the talker, position by position, as ``generate(non_streaming_mode=True)`` builds it.

Every position adds a text embedding (through ``text_projection``) and, except in instruct and role, a codec embedding:

    text   [instruct...]  role x3   pad  pad  [pad] pad  pad      bos        body...    eos        pad        pad...
    codec       -            -      think-tag(s)         speaker  codec_pad  codec_pad  codec_pad  codec_bos  frames

The instruct, how to speak, is ``<|im_start|>user\\n…<|im_end|>\\n``; without one a clip begins with the role. A frame
is the sum of its 16 codes.

The tags are (nothink, think_bos, think_eos) for language "auto", else (think, think_bos, language, think_eos).
Position ``codec_bos`` predicts codebook 0 of frame 0, frame i that of frame i + 1, the last frame ``codec_eos``.

Source: ``Qwen3TTSForConditionalGeneration.generate`` and ``Talker.forward`` of qwen-tts 0.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from jobs.codec_format import N_CODEBOOKS
from jobs.errors import UserError

ROLE_LENGTH = 3  # <|im_start|>assistant\n
TAIL_LENGTH = 5  # <|im_end|>\n<|im_start|>assistant\n, cut off by generate


@dataclass(frozen=True)
class ControlIds:
    """Control ids of the sequence; all are read from the model's config."""

    text_pad: int
    text_bos: int
    text_eos: int
    codec_pad: int
    codec_bos: int
    codec_eos: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int
    languages: dict[str, int]
    codebook_size: int

    @classmethod
    def from_config(cls, config: Any) -> ControlIds:
        """Read them from a loaded ``Qwen3TTSConfig``."""
        talker = config.talker_config
        return cls(
            text_pad=config.tts_pad_token_id,
            text_bos=config.tts_bos_token_id,
            text_eos=config.tts_eos_token_id,
            codec_pad=talker.codec_pad_id,
            codec_bos=talker.codec_bos_id,
            codec_eos=talker.codec_eos_token_id,
            think=talker.codec_think_id,
            nothink=talker.codec_nothink_id,
            think_bos=talker.codec_think_bos_id,
            think_eos=talker.codec_think_eos_id,
            languages=dict(talker.codec_language_id),
            codebook_size=talker.code_predictor_config.vocab_size,
        )

    def tags(self, language: str) -> list[int]:
        """Return the codec ids that open the sequence for a language, ``auto`` or one that the model knows.

        Raises:
            UserError: ``language_unknown``.
        """
        name = language.lower()
        if name == "auto":
            return [self.nothink, self.think_bos, self.think_eos]
        if name not in self.languages:
            raise UserError(
                "language_unknown",
                f"The model does not know the language {language!r}; it knows {', '.join(sorted(self.languages))}.",
                "Use one of them, or auto.",
            )
        return [self.think, self.think_bos, self.languages[name], self.think_eos]


@dataclass(frozen=True)
class Example:
    """One clip, tokenised.

    Attributes:
        text_ids: (n,) int64, role and body: the processor's ids without generate's tail of five.
        codes: (frames, 16) int64.
        language: ``auto`` or a language of the model.
        speaker: (hidden,) float32, the speaker embedding.
        instruct_ids: (k,) int64, the processor's ids of the instruct; None: there is none.
    """

    text_ids: torch.Tensor
    codes: torch.Tensor
    language: str
    speaker: torch.Tensor
    instruct_ids: torch.Tensor | None = None

    @property
    def n_instruct(self) -> int:
        """Number of positions of the instruct."""
        return 0 if self.instruct_ids is None else len(self.instruct_ids)

    @property
    def length(self) -> int:
        """Number of positions of the clip's sequence."""
        n_tags = 3 if self.language == "auto" else 4
        # + speaker, codec_pad, text_eos, codec_bos
        return self.n_instruct + len(self.text_ids) + n_tags + 4 + len(self.codes)


@dataclass(frozen=True)
class Batch:
    """Clips padded on the right to one length. Attention is causal, so padding needs no mask.

    ``*_at`` are indices into the flattened (batch * time) positions; labels are ordered by clip:
    frames, then an EOS.

    Attributes:
        distinct_text: (d,) text ids of the batch without repetition, so that each is projected once.
        text: (batch, time) index into ``distinct_text``.
        control: (k,) codec ids of the positions ``control_at``.
        speakers: (batch, hidden) float32, added at ``speaker_at``.
        codes: (frames, 16) of all clips, added at ``frame_at``.
        labels: (frames + batch,) codebook 0 of each frame and EOS, predicted at ``predict_at``.
        frame_in_labels: (frames,) indices of the labels that are frames.
        positions: (1, time) position within its clip, if the clips are packed in one row; see ``packing``.
        predicted: (n,) frames whose codebooks 1 to 15 the code predictor learns; None: all.
    """

    distinct_text: torch.Tensor
    text: torch.Tensor
    control: torch.Tensor
    control_at: torch.Tensor
    speakers: torch.Tensor
    speaker_at: torch.Tensor
    codes: torch.Tensor
    frame_at: torch.Tensor
    labels: torch.Tensor
    predict_at: torch.Tensor
    frame_in_labels: torch.Tensor
    positions: torch.Tensor | None = None
    predicted: torch.Tensor | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames of all clips."""
        return len(self.codes)

    @property
    def n_labels(self) -> int:
        """Number of labels of the talker: codebook 0 of each frame, and an EOS per clip."""
        return len(self.labels)

    @property
    def predicted_codes(self) -> torch.Tensor:
        """Codes (n, 16) of the frames that the code predictor learns."""
        return self.codes if self.predicted is None else self.codes[self.predicted]

    def to(self, device: str | torch.device) -> Batch:
        """Copy to a device."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return Batch(
            **{name: tensor.to(device, non_blocking=True) for name, tensor in given.items() if tensor is not None}
        )


def collate(examples: Sequence[Example], ids: ControlIds) -> Batch:
    """Build a padded batch of clips, on the CPU."""
    width = max(example.length for example in examples)
    text = torch.full((len(examples), width), ids.text_pad)
    control: list[int] = []
    control_at: list[int] = []
    speaker_at: list[int] = []
    frame_at, labels, predict_at, is_frame = [], [], [], []
    for row, example in enumerate(examples):
        tags = ids.tags(example.language)
        n_body, n_frames = len(example.text_ids) - ROLE_LENGTH, len(example.codes)
        role = example.n_instruct
        tag = role + ROLE_LENGTH
        speaker = tag + len(tags)
        body = speaker + 2
        start = body + n_body + 1

        if example.instruct_ids is not None:
            text[row, :role] = example.instruct_ids
        text[row, role:tag] = example.text_ids[:ROLE_LENGTH]
        text[row, body - 1] = ids.text_bos
        text[row, body : start - 1] = example.text_ids[ROLE_LENGTH:]
        text[row, start - 1] = ids.text_eos

        first = row * width
        control += [*tags, *[ids.codec_pad] * (n_body + 2), ids.codec_bos]
        control_at += [*range(first + tag, first + speaker), *range(first + speaker + 1, first + start + 1)]
        speaker_at.append(first + speaker)
        frame_at.append(torch.arange(n_frames) + first + start + 1)
        labels.append(torch.cat([example.codes[:, 0], torch.tensor([ids.codec_eos])]))
        predict_at.append(torch.arange(n_frames + 1) + first + start)
        is_frame.append(torch.arange(n_frames + 1) < n_frames)
    distinct_text, index = torch.unique(text, return_inverse=True)
    return Batch(
        distinct_text=distinct_text,
        text=index,
        control=torch.tensor(control),
        control_at=torch.tensor(control_at),
        speakers=torch.stack([example.speaker for example in examples]),
        speaker_at=torch.tensor(speaker_at),
        codes=torch.cat([example.codes for example in examples]),
        frame_at=torch.cat(frame_at),
        labels=torch.cat(labels),
        predict_at=torch.cat(predict_at),
        frame_in_labels=torch.cat(is_frame).nonzero().squeeze(1),
    )


def embed(talker: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed a batch.

    Args:
        talker: ``model.talker``; gradients flow into its embeddings and projection as far as they are trained.

    Returns:
        The talker's input (batch, time, hidden), and the embeddings of every frame's codes (frames, 16, hidden), of
        which the code predictor reads the first fifteen.
    """
    codec_embedding = talker.get_input_embeddings()
    predictor_embeddings = talker.code_predictor.get_input_embeddings()
    words = talker.text_projection(talker.get_text_embeddings()(batch.distinct_text))
    n_clips, width = batch.text.shape
    codes = torch.stack(
        [
            codec_embedding(batch.codes[:, 0]),
            *[predictor_embeddings[codebook - 1](batch.codes[:, codebook]) for codebook in range(1, N_CODEBOOKS)],
        ],
        dim=1,
    )
    added = torch.cat([codec_embedding(batch.control), batch.speakers.to(codes.dtype), codes.sum(1)])
    x = words.to(codes.dtype)[batch.text].view(n_clips * width, -1)  # autocast projects in half precision
    x = x.index_add(0, torch.cat([batch.control_at, batch.speaker_at, batch.frame_at]), added)
    return x.view(n_clips, width, -1), codes


def tokenise_text(base: Any, text: str) -> torch.Tensor:
    """Tokenise a text as generation does: (n,) ids of role and body, without the tail that ``generate`` cuts off.

    Args:
        text: any; it is stripped, because a leading newline would become one token with the role's newline.
    """
    ids: torch.Tensor = base.processor(text=base._build_assistant_text(text.strip()), return_tensors="pt")["input_ids"]
    return ids[0, :-TAIL_LENGTH]


def tokenise_instruct(base: Any, instruct: str) -> torch.Tensor | None:
    """Tokenise an instruct as generation does: (k,) ids; None for one without a word."""
    if not instruct.strip():
        return None
    ids: torch.Tensor = base.processor(text=base._build_instruct_text(instruct.strip()), return_tensors="pt")[
        "input_ids"
    ]
    return ids[0]
