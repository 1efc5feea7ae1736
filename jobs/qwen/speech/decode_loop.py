"""Frames of several takes at once: every take has a slot, ends by itself and leaves the slot to the next text."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from jobs.codec_format import N_CODEBOOKS
from jobs.errors import UserError
from jobs.qwen.speech.cached_stack import CachedStack, causal_mask
from jobs.qwen.speech.code_predictor import CodePredictor
from jobs.qwen.speech.cuda_graph import Record, Recording, record_on
from jobs.qwen.speech.decoder_weights import DecoderWeights
from jobs.qwen.speech.decoding_settings import Decoding
from jobs.qwen.speech.sampling import Choice, penalise
from jobs.qwen.speech.takes import DecodedTake, Slot, TakeRequest

logger = logging.getLogger(__name__)

FIRST_POSITIONS = 512
"""Positions that a slot starts with; doubled when a take needs more."""
LENGTH_STEP = 64
"""Takes of a batch look at a multiple of this many positions, so that sums hardly depend on the longest of them."""


class DecodeLoop:
    """The running takes of one model that share the settings of sampling."""

    def __init__(
        self,
        weights: DecoderWeights,
        n_slots: int,
        decoding: Decoding,
        n_positions: int = FIRST_POSITIONS,
        record: Record | None = None,
    ) -> None:
        """Make the buffers.

        Args:
            n_slots: takes at once.
            decoding: of every take; its seed and its longest audio are not used.
            n_positions: that a slot has place for at first.
            record: records a frame's operations, as a CUDA graph that is then replayed; default: that of the device.
        """
        weights = weights.prepare(n_slots)
        talker = weights.talker
        self.slots: list[Slot | None] = [None] * n_slots
        self._stack = CachedStack(weights.talker_stack, n_slots, n_positions)
        self._predictor = CodePredictor(
            talker.code_predictor, weights.predictor_stack, weights.predictor_heads, n_slots
        )
        self._head = weights.talker_head
        self._embedding: Tensor = talker.get_input_embeddings().weight
        self._choice, self._predictor_choice = Choice.of_talker(decoding), Choice.of_predictor(decoding)
        self._penalty = decoding.repetition_penalty
        n_codes, width = self._embedding.shape
        device, like = self._embedding.device, self._embedding
        self._device = device
        n_predicted = self._predictor.n_codes
        self._hidden = like.new_zeros(n_slots, width)
        self._codes = torch.zeros(n_slots, N_CODEBOOKS, dtype=torch.long, device=device)
        self._embedded = like.new_zeros(n_slots, N_CODEBOOKS, width)
        self._noise = torch.ones(n_slots, n_codes + (N_CODEBOOKS - 1) * n_predicted, device=device)
        self._talker_noise = self._noise[:, :n_codes]
        self._predictor_noise = self._noise[:, n_codes:].view(n_slots, N_CODEBOOKS - 1, n_predicted)
        self._penalties = torch.ones(n_slots, n_codes, device=device)
        self._suppressed = torch.zeros(n_codes, device=device)
        self._end = self._first_end = 0
        self._positions = torch.zeros(n_slots, dtype=torch.long, device=device)
        self._n_frames = torch.zeros(n_slots, dtype=torch.long, device=device)
        self._is_taken = torch.zeros(n_slots, dtype=torch.long, device=device)
        self._texts = like.new_zeros(n_slots, 1, width)
        self._n_texts = torch.zeros(n_slots, dtype=torch.long, device=device)
        self._row = torch.arange(n_slots, device=device)
        self._record = record or record_on(device)
        self._recording: Recording | None = None

    @property
    def n_running(self) -> int:
        """Number of takes that are being decoded."""
        return sum(slot is not None for slot in self.slots)

    @property
    def is_recorded(self) -> bool:
        """True where the last frame was a recording's."""
        return self._recording is not None

    @torch.inference_mode()
    def admit(self, request: TakeRequest) -> Slot:
        """Read a take's prompt into a free slot, and return the slot."""
        began = time.perf_counter()
        prompt, row = request.prompt, self.slots.index(None)
        generator = torch.Generator(self._device).manual_seed(request.seed)
        slot = Slot(request.key, prompt.n_positions, request.max_frames, generator)
        self.slots[row] = slot
        self._reserve(prompt.n_positions, len(prompt.frame_texts))
        n = prompt.n_positions
        stack = self._stack
        groups = stack.weights.n_heads // stack.weights.n_kv_heads
        at = torch.arange(n, device=self._device) + row * stack.n_positions
        mask = causal_mask(n, groups, self._device)
        hidden = stack.forward(prompt.embeddings, at, stack.rotations[:n], slice(row, row + 1), n, mask)
        self._hidden[row] = hidden[-1]
        self._positions[row] = n
        self._n_frames[row] = 0
        self._is_taken[row] = 1
        self._penalties[row] = 1
        self._texts[row] = prompt.padding
        self._texts[row, : len(prompt.frame_texts)] = prompt.frame_texts
        self._n_texts[row] = len(prompt.frame_texts)
        self._suppressed[list(prompt.suppressed)] = -torch.inf
        if (self._end, self._first_end) != (prompt.end, prompt.first_end):
            self._end, self._first_end = prompt.end, prompt.first_end
            self._recording = None
        slot.compute_s = time.perf_counter() - began
        return slot

    @torch.inference_mode()
    def step(self) -> list[DecodedTake]:
        """Decode a frame of every running take, and return the takes that ended.

        Raises:
            UserError: ``model_broken``: its weights are not finite.
        """
        began = time.perf_counter()
        running = [(row, slot) for row, slot in enumerate(self.slots) if slot is not None]
        length = max(slot.n_prompt + len(slot.frames) for _, slot in running) + 1
        self._reserve(length, 0)
        if len(self.slots) > 1:
            length = min(-(-length // LENGTH_STEP) * LENGTH_STEP, self._stack.n_positions)
        if self._record is not None and self._recording is None:
            self._recording = self._record_frame(self._record)
        for row, slot in running:
            self._draw(row, slot.generator)
        if self._recording is not None:
            self._recording.replay()
        else:
            self._frame(length, is_masked=len(self.slots) > 1)
        ended = []
        codes = self._codes.tolist()  # the one synchronisation of a frame
        share_s = (time.perf_counter() - began) / len(running)
        for row, slot in running:
            slot.compute_s += share_s
            is_end = codes[row][0] == self._end
            if not is_end:
                slot.frames.append(codes[row])
            if is_end or len(slot.frames) > slot.max_frames:
                self._check(row)
                self._release(row)
                frames = torch.tensor(slot.frames, dtype=torch.long).view(-1, N_CODEBOOKS)
                ended.append(DecodedTake(slot.key, frames, slot.compute_s))
        return ended

    @torch.inference_mode()
    def cancel(self, slot: Slot) -> None:
        """Stop a take and free its slot; one that has ended already stays as it is."""
        if slot in self.slots:
            self._release(self.slots.index(slot))

    def run(
        self, requests: Iterable[TakeRequest], on_frame: Callable[[], None] = lambda: None
    ) -> Iterator[DecodedTake]:
        """Decode takes, as many at once as there are slots, and yield each as it ends.

        Args:
            requests: asked for one when a slot is free.
            on_frame: called before every frame.
        """
        waiting = iter(requests)
        is_more = True
        while True:
            while is_more and None in self.slots:
                request = next(waiting, None)
                if request is None:
                    is_more = False
                else:
                    self.admit(request)
            if not self.n_running:
                return
            on_frame()
            yield from self.step()

    def _release(self, row: int) -> None:
        """Free a slot. A free one stays at its first position, or it would grow out of the caches."""
        self.slots[row] = None
        self._is_taken[row] = self._positions[row] = self._n_frames[row] = 0

    def _check(self, row: int) -> None:
        """Check that an ended take was computed with numbers: what is none stays in the caches until the end."""
        if not torch.isfinite(self._hidden[row]).all():
            raise UserError(
                "model_broken",
                "The model computes values that are no numbers: its codes would be noise.",
                "Use an earlier checkpoint, or train again with a lower learning rate.",
            )

    def _draw(self, row: int, generator: torch.Generator) -> None:
        """Draw the random numbers of a take's next frame: on a CPU in the order in which stock draws them.

        On a GPU all at once, because 16 operations a take would last longer than the frame; there half precision rounds
        otherwise than stock in any case.
        """
        if self._choice.greedy and self._predictor_choice.greedy:
            return
        if self._device.type == "cuda":
            self._noise[row].exponential_(generator=generator)
            return
        if not self._choice.greedy:
            self._talker_noise[row].exponential_(generator=generator)
        if not self._predictor_choice.greedy:
            for noise in self._predictor_noise[row]:
                noise.exponential_(generator=generator)

    def _record_frame(self, record: Record) -> Recording | None:
        """Record a frame that looks at all positions for which there is place; None where that fails."""
        whole = partial(self._frame, self._stack.n_positions, is_masked=True)
        changed = (self._hidden, self._codes, self._embedded, self._penalties, self._positions, self._n_frames)
        try:
            return record(whole, changed)
        except RuntimeError as error:
            logger.warning("frames are decoded operation by operation, because none can be recorded: %s", error)
            self._record = None
            return None

    def _frame(self, length: int, *, is_masked: bool) -> None:
        """Decode a frame of every slot; reads and writes buffers only."""
        scores = self._head.times(self._hidden).float()
        if self._penalty != 1:
            scores = penalise(scores, self._penalties)
        scores = scores + self._suppressed
        scores[:, self._end].masked_fill_(self._n_frames < self._first_end, -torch.inf)
        first = self._choice.choose(scores, self._talker_noise)
        self._penalties.scatter_(1, first, self._penalty)
        self._codes[:, 0] = first[:, 0]
        self._embedded[:, 0] = F.embedding(first[:, 0], self._embedding)
        self._predictor.predict(
            self._hidden,
            self._embedded[:, 0],
            self._predictor_choice,
            self._predictor_noise,
            self._codes[:, 1:],
            self._embedded[:, 1:],
        )
        text_at = torch.minimum(self._n_frames, self._n_texts).add_(self._row * self._texts.shape[1])
        x = self._embedded.sum(1).add_(F.embedding(text_at, self._texts.flatten(0, 1)))
        stack = self._stack
        mask = None
        if is_masked:
            at = torch.arange(length, device=self._device)
            mask = (at <= self._positions[:, None])[:, None, None]
        write_at = self._positions + self._row * stack.n_positions
        rotations = stack.rotations.index_select(0, self._positions)
        rows = slice(0, len(self.slots))
        self._hidden.copy_(stack.forward(x, write_at, rotations, rows, length, mask))
        self._positions.add_(self._is_taken)
        self._n_frames.add_(self._is_taken)

    def _reserve(self, n_positions: int, n_texts: int) -> None:
        """Grow caches to a number of positions, and the texts that are added to frames."""
        capacity = self._stack.n_positions
        while capacity < n_positions:
            capacity *= 2
        if capacity > self._stack.n_positions:
            self._stack.grow(capacity)
            self._recording = None
        if n_texts >= self._texts.shape[1]:
            grown = self._texts.new_zeros(len(self.slots), 2 * n_texts, self._texts.shape[2])
            grown[:, : self._texts.shape[1]] = self._texts
            self._texts = grown
            self._recording = None
