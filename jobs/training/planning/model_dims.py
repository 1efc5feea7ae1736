"""Dimensions of a Qwen3-TTS 12 Hz model that decide memory and time, read from its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.codec_format import N_CODEBOOKS


@dataclass(frozen=True)
class StackDims:
    """Dimensions of a stack of transformer layers."""

    hidden: int
    intermediate: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> StackDims:
        """Read a ``talker_config`` or ``code_predictor_config``."""
        heads = int(config["num_attention_heads"])
        return cls(
            hidden=int(config["hidden_size"]),
            intermediate=int(config["intermediate_size"]),
            n_layers=int(config["num_hidden_layers"]),
            n_heads=heads,
            n_kv_heads=int(config["num_key_value_heads"]),
            head_dim=int(config.get("head_dim") or config["hidden_size"] // heads),
        )

    @property
    def query(self) -> int:
        """Width of all query heads."""
        return self.n_heads * self.head_dim

    @property
    def key(self) -> int:
        """Width of all key heads, and of all value heads."""
        return self.n_kv_heads * self.head_dim

    @property
    def attention_weights(self) -> int:
        """Weights of a layer's q, k, v and o projections."""
        return 2 * self.hidden * (self.query + self.key)

    @property
    def mlp_weights(self) -> int:
        """Weights of a layer's gate, up and down projections."""
        return 3 * self.hidden * self.intermediate

    @property
    def matrices(self) -> int:
        """Weights of all layers' linear modules."""
        return self.n_layers * (self.attention_weights + self.mlp_weights)

    @property
    def norms(self) -> int:
        """Weights of all norms: two per layer, those of queries and keys, and the last."""
        return self.n_layers * 2 * (self.hidden + self.head_dim) + self.hidden

    def outputs(self, *, attention: bool = True, mlp: bool = True) -> int:
        """Width of the outputs of a layer's projections together."""
        return attention * (self.query + 2 * self.key + self.hidden) + mlp * (2 * self.intermediate + self.hidden)

    def adapter_weights(self, r: int, *, attention: bool = True, mlp: bool = True, dora: bool = False) -> int:
        """Count the weights of rank ``r`` adapters on all layers' projections: r x (in + out) each.

        Args:
            dora: with a size for each row, too.
        """
        width = 0
        if attention:
            width += 4 * self.hidden + 2 * self.query + 2 * self.key
        if mlp:
            width += 3 * (self.hidden + self.intermediate)
        return self.n_layers * (r * width + dora * self.outputs(attention=attention, mlp=mlp))


@dataclass(frozen=True)
class ModelDims:
    """Dimensions of a model without speaker encoder and codec, which training does not keep in memory.

    Attributes:
        vocabulary: rows of the talker's codec embedding, and of its head.
        text_vocabulary: rows of the text embedding.
        codebook: entries per codebook.
    """

    talker: StackDims
    predictor: StackDims
    vocabulary: int
    text_vocabulary: int
    text_hidden: int
    codebook: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ModelDims:
        """Read a model's ``config.json``."""
        talker = config["talker_config"]
        predictor = talker["code_predictor_config"]
        return cls(
            talker=StackDims.from_config(talker),
            predictor=StackDims.from_config(predictor),
            vocabulary=int(talker["vocab_size"]),
            text_vocabulary=int(talker["text_vocab_size"]),
            text_hidden=int(talker["text_hidden_size"]),
            codebook=int(predictor["vocab_size"]),
        )

    @property
    def text_embedding(self) -> int:
        """Weights of the text embedding, which is not trained."""
        return self.text_vocabulary * self.text_hidden

    @property
    def text_projection(self) -> int:
        """Weights of the MLP from text width to the talker's."""
        return self.text_hidden * (self.text_hidden + 1) + (self.text_hidden + 1) * self.talker.hidden

    @property
    def projection_to_predictor(self) -> int:
        """Weights of ``small_to_mtp_projection``, which exists if the widths differ."""
        talker, predictor = self.talker.hidden, self.predictor.hidden
        return 0 if talker == predictor else (talker + 1) * predictor

    @property
    def talker_matrices(self) -> int:
        """Weights of the talker's linear modules outside the code predictor, biases included."""
        return self.talker.matrices + self.text_projection + self.vocabulary * self.talker.hidden

    @property
    def talker_weights(self) -> int:
        """Weights of the talker in full training: all but text embedding and code predictor."""
        return self.talker_matrices + self.talker.norms + self.vocabulary * self.talker.hidden

    @property
    def predictor_matrices(self) -> int:
        """Weights of the code predictor's linear modules."""
        heads = (N_CODEBOOKS - 1) * self.codebook * self.predictor.hidden
        return self.predictor.matrices + heads + self.projection_to_predictor

    @property
    def predictor_weights(self) -> int:
        """All weights of the code predictor, whose embeddings are as wide as the talker."""
        embeddings = (N_CODEBOOKS - 1) * self.codebook * self.talker.hidden
        return self.predictor_matrices + self.predictor.norms + embeddings

    @property
    def weights(self) -> int:
        """All weights in memory during training."""
        return self.text_embedding + self.talker_weights + self.predictor_weights


_PREDICTOR = StackDims(hidden=1024, intermediate=3072, n_layers=5, n_heads=16, n_kv_heads=8, head_dim=128)


def _released(hidden: int, intermediate: int) -> ModelDims:
    return ModelDims(
        talker=StackDims(hidden, intermediate, n_layers=28, n_heads=16, n_kv_heads=8, head_dim=128),
        predictor=_PREDICTOR,
        vocabulary=3072,
        text_vocabulary=151_936,
        text_hidden=2048,
        codebook=2048,
    )


# For hub ids that are not downloaded yet. Together with the speaker encoders (8.9 M and 12.0 M weights) these have as
# many weights as the headers of the released files: 914,643,008 and 1,928,677,440.
RELEASED = {"0.6b": _released(1024, 3072), "1.7b": _released(2048, 6144)}


def released_dims(model: str) -> ModelDims | None:
    """Return the dimensions of a released model by its name; None for any other."""
    return next((dims for size, dims in RELEASED.items() if size in model.lower()), None)
