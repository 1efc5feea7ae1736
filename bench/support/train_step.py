"""A random model, made-up clips, and one optimiser step taken apart: what ``bench/training/train.py`` measures."""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from jobs.codec_format import FRAMES_PER_SECOND, N_CODEBOOKS
from jobs.qwen.devices import describe_device, torch_dtype
from jobs.qwen.precision import Precision, training_precision
from jobs.qwen.toy import config as toy_config
from jobs.qwen.train.fused_layers import fuse_layers
from jobs.qwen.train.lora import add_adapters
from jobs.qwen.train.loss import loss_sums, predict, total_loss
from jobs.qwen.train.packing import pack
from jobs.qwen.train.sequence_layout import Batch, ControlIds, Example, collate
from jobs.qwen.upstream import qwen_tts
from jobs.training.data.batch_sampler import LengthBatchSampler
from jobs.training.planning.model_dims import RELEASED, ModelDims, StackDims
from jobs.training.run.forward import Forward
from jobs.training.run.optimizer import clip_gradients, compile_layers, make_optimiser, trainable, unfreeze_for_full

TOKENS_PER_S = 4.0  # of text, for English read aloud
CODEBOOK = 2048
PARTS = ("data", "forward talker", "forward predictor", "loss", "backward", "optimiser")


def _small(talker: StackDims, predictor: StackDims, text_hidden: int | None = None) -> ModelDims:
    width = text_hidden or talker.hidden
    return ModelDims(talker, predictor, CODEBOOK + 1024, text_vocabulary=600, text_hidden=width, codebook=CODEBOOK)


def _small_0_6b(talker: StackDims, n_predictor_layers: int) -> ModelDims:
    """As the released 0.6B: text twice as wide as the talker, layers of the predictor as wide, nothing between them."""
    return _small(talker, replace(talker, n_layers=n_predictor_layers), 2 * talker.hidden)


# Those without "0.6b" in their names are built as the released 1.7B.
SIZES = {
    "tiny": _small(StackDims(64, 192, 2, 4, 2, 16), StackDims(48, 144, 1, 4, 2, 16)),
    "6m": _small(StackDims(192, 576, 6, 6, 3, 32), StackDims(96, 288, 2, 4, 2, 24)),
    "20m": _small(StackDims(320, 960, 8, 8, 4, 40), StackDims(160, 480, 2, 4, 2, 40)),
    # Like the released 1.7B, where talker and predictor take about 64 and 36 % of a frame's arithmetic (10 s clips):
    # here 57 and 43 %, with 12 and 3 layers.
    "60m": _small(StackDims(512, 1536, 12, 8, 4, 64), StackDims(256, 768, 3, 8, 4, 32)),
    "tiny-0.6b": _small_0_6b(StackDims(64, 192, 2, 4, 2, 16), 1),
    "20m-0.6b": _small_0_6b(StackDims(320, 960, 8, 8, 4, 40), 2),
    # The released 0.6B's talker and predictor take about 32 and 68 %; here 35 and 65 %, with 12 and 2 layers.
    "60m-0.6b": _small_0_6b(StackDims(512, 1536, 12, 8, 4, 64), 2),
    **RELEASED,
}


@dataclass(frozen=True)
class Recipe:
    """Settings of a training. ``seconds`` are the shortest and the longest clip."""

    size: str = "60m"
    method: str = "full"
    device: str = "cpu"
    batch_size: int = 2
    accumulation: int = 4
    optimiser: str = "adamw"
    checkpointing: bool = False
    seconds: tuple[float, float] = (2.0, 15.0)
    lora_r: int = 16
    compile: bool = False
    predicted_share: float = 1.0
    freeze: str = "none"
    packing: bool = False


def released_shape(shape: ModelDims) -> toy_config.Shape:
    """Name the released model that is built as a shape is."""
    return "0.6b" if shape.text_hidden != shape.talker.hidden else "1.7b"


def config_of(shape: ModelDims, text_ids: dict[str, int] | None = None) -> dict[str, Any]:
    """``config.json`` of a base model of a shape, with the released ids above the codebook."""
    specials = ("<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
    config = toy_config.model_config(
        shape=released_shape(shape),
        text_ids=text_ids or {name: number for number, name in enumerate(specials)},
        text_vocab_size=shape.text_vocabulary,
        codebook_size=shape.codebook,
        hidden=shape.talker.hidden,
        layers=shape.talker.n_layers,
        predictor_hidden=shape.predictor.hidden,
    )
    talker = config["talker_config"]
    _set_stack(talker, shape.talker)
    _set_stack(talker["code_predictor_config"], shape.predictor)
    talker["text_hidden_size"] = shape.text_hidden
    quarter = shape.talker.head_dim // 4
    talker["rope_scaling"]["mrope_section"] = [quarter, quarter // 2, quarter // 2]
    talker["code_predictor_config"]["layer_types"] = ["full_attention"] * shape.predictor.n_layers
    return config


def _set_stack(config: dict[str, Any], stack: StackDims) -> None:
    config.update(
        hidden_size=stack.hidden,
        intermediate_size=stack.intermediate,
        num_hidden_layers=stack.n_layers,
        num_attention_heads=stack.n_heads,
        num_key_value_heads=stack.n_kv_heads,
        head_dim=stack.head_dim,
    )


def random_model(config: dict[str, Any], device: str, dtype: torch.dtype) -> Any:
    """The upstream model of a config with random weights, made where it will compute."""
    models = qwen_tts().core.models
    content = {key: value for key, value in config.items() if key != "architectures"}
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        torch.manual_seed(0)
        with torch.device(device):
            return models.Qwen3TTSForConditionalGeneration(models.Qwen3TTSConfig(**content))
    finally:
        torch.set_default_dtype(before)


def made_up_clips(shape: ModelDims, n_clips: int, seconds: tuple[float, float], seed: int = 0) -> list[Example]:
    """Clips with random text and codes, of lengths spread evenly over a range."""
    rng, lengths = torch.Generator().manual_seed(seed), random.Random(seed)
    speaker = torch.randn(shape.talker.hidden, generator=rng) * 0.02
    clips = []
    for _ in range(n_clips):
        length = lengths.uniform(*seconds)
        text = torch.randint(8, shape.text_vocabulary, (3 + round(length * TOKENS_PER_S),), generator=rng)
        codes = torch.randint(0, shape.codebook, (round(length * FRAMES_PER_SECOND), N_CODEBOOKS), generator=rng)
        clips.append(Example(text, codes, "auto", speaker))
    return clips


def prepare(model: Any, recipe: Recipe) -> torch.optim.Optimizer:
    """Make an upstream model trainable as a recipe says."""
    model.speaker_encoder = None
    if recipe.method == "lora":
        add_adapters(model, r=recipe.lora_r, alpha=2 * recipe.lora_r, dropout=0.0)
    else:
        unfreeze_for_full(model, recipe.freeze)
    if recipe.checkpointing:
        model.talker.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if recipe.compile:
        compile_layers(model)
    else:
        fuse_layers(model)
    model.train()
    return make_optimiser(model, lr=1e-5, weight_decay=0.01, name=recipe.optimiser)


class Stopwatch:
    """Sums of seconds by part, of one step after another."""

    def __init__(self, device: str) -> None:
        self.steps: list[defaultdict[str, float]] = []
        self._is_cuda = device != "cpu"
        self._last = 0.0

    def start(self) -> None:
        """Begin a step."""
        self.steps.append(defaultdict(float))
        self._last = self._now()

    def lap(self, part: str) -> None:
        """Count the time since the last lap for ``part``."""
        now = self._now()
        self.steps[-1][part] += now - self._last
        self._last = now

    def _now(self) -> float:
        if self._is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


class Trainer:
    """Steps over clips as the training loop does, with a stopwatch between the parts."""

    def __init__(self, model: Any, optimiser: torch.optim.Optimizer, clips: Sequence[Example], recipe: Recipe) -> None:
        self.model, self.optimiser, self.clips, self.recipe = model, optimiser, clips, recipe
        self.ids = ControlIds.from_config(model.config)
        self.parameters = list(trainable(model).values())
        self.sampler = LengthBatchSampler(
            [clip.length for clip in clips],
            batch_size=recipe.batch_size,
            batch_tokens=None,
            micro_batches_per_step=recipe.accumulation,
            seed=0,
        )
        self.losses: list[float] = []
        self._done = 0

    def step(self, watch: Stopwatch) -> int:
        """Make one optimiser step. Returns the frames trained."""
        watch.start()
        batches = [self._batch(clips) for clips in self.sampler.micro_batches_of(self._done)]
        n_talker = sum(batch.n_labels for batch in batches)
        n_frames = sum(batch.n_frames for batch in batches)
        n_predictor = sum(len(batch.predicted_codes) for batch in batches) * (N_CODEBOOKS - 1)
        watch.lap("data")
        loss = 0.0
        with _laps_after(self.model.talker.model, lambda: watch.lap("forward talker")):
            for batch in batches:
                with self._autocast():
                    predictions = predict(self.model, batch)
                    watch.lap("forward predictor")
                    sums = loss_sums(predictions, batch)
                    del predictions
                total = total_loss(sums, n_talker=n_talker, n_predictor=n_predictor, code_predictor_weight=0.3)
                watch.lap("loss")
                total.backward()
                loss += float(total.detach())
                watch.lap("backward")
        clip_gradients(self.parameters, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        watch.lap("optimiser")
        self.losses.append(loss)
        self._done += 1
        return n_frames

    def _batch(self, indices: list[int]) -> Batch:
        clips = [self.clips[clip] for clip in indices]
        batch = collate(clips, self.ids)
        if self.recipe.packing:
            batch = pack(batch, [clip.length for clip in clips])
        if self.recipe.predicted_share < 1:
            n_chosen = math.ceil(batch.n_frames * self.recipe.predicted_share)
            batch = replace(batch, predicted=torch.randperm(batch.n_frames)[:n_chosen].sort().values)
        return batch.to(self.recipe.device)

    def _autocast(self) -> AbstractContextManager[Any]:
        return Forward(self.model, self.ids, self.recipe.device, precision_of(self.recipe)).autocast()


def precision_of(recipe: Recipe) -> Precision:
    """Choose the number format as a training job does."""
    return training_precision(describe_device(recipe.device))


def trainer_of(recipe: Recipe, n_clips: int) -> Trainer:
    """A trainer with a random model and made-up clips."""
    shape = SIZES[recipe.size]
    half = recipe.method == "lora"
    model = random_model(config_of(shape), recipe.device, torch_dtype(precision_of(recipe)) if half else torch.float32)
    return Trainer(model, prepare(model, recipe), made_up_clips(shape, n_clips, recipe.seconds), recipe)


def described(recipe: Recipe, trainer: Trainer) -> dict[str, Any]:
    """A recipe and the sizes of its model, for the report."""
    return {
        **asdict(recipe),
        "parameters_m": round(sum(p.numel() for p in trainer.model.parameters()) / 1e6, 1),
        "learning_m": round(sum(p.numel() for p in trainer.parameters) / 1e6, 1),
    }


@contextmanager
def _laps_after(module: Any, lap: Callable[[], None]) -> Iterator[None]:
    handle = module.register_forward_hook(lambda *_: lap())
    try:
        yield
    finally:
        handle.remove()
