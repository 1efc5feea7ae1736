"""Similarity of voices (SIM), and centroids of speaker embeddings. Embeddings are unit vectors, (n_dims,)."""

from collections.abc import Iterable, Sequence

import numpy as np

from jobs.audio.mel import Floats

_CORE_SHARE = 0.6  # of the clips, the nearest: up to 40 % of other voices do not move the centroid
_MOST_COMPARED = 1500
_ROUNDS = 10


def compute_sim(embedding: Floats | Sequence[float], voice: Floats) -> float:
    """Compute the SIM of an embedding to a voice: the cosine of the angle between both."""
    return float(np.asarray(embedding, dtype=np.float32) @ voice)


def unit(vector: Floats) -> Floats:
    """The vector scaled to length 1."""
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def centroid(embeddings: Iterable[Floats]) -> Floats:
    """Unit vector in the middle of embeddings: what a voice is compared with. Five clips are enough."""
    return unit(np.mean(np.stack(list(embeddings)), axis=0))


def leave_one_out(embeddings: Sequence[Floats]) -> list[float]:
    """Compute the SIM of each of at least two clips to the centroid of the others."""
    total = np.sum(np.stack(list(embeddings)), axis=0)
    return [compute_sim(each, unit(total - each)) for each in embeddings]


def robust_centroid(embeddings: Floats) -> tuple[Floats, list[int]]:
    """Compute the centroid of the voice of most embeddings, (n, n_numbers), and the indices of the nearest 60 %.

    Begins at the embedding that is nearest to the others by their median, then moves to the mean of the nearest 60 %
    until those stay the same. Another voice in up to 40 % of the clips does not move it.
    """
    some = embeddings[:: -(-len(embeddings) // _MOST_COMPARED)]
    centre = some[int(np.argmax(np.median(some @ some.T, axis=1)))]
    n_core = max(3, round(_CORE_SHARE * len(embeddings)))
    core: list[int] = []
    for _ in range(_ROUNDS):
        nearest = sorted(np.argsort(-(embeddings @ centre), kind="stable")[:n_core].tolist())
        if nearest == core:
            break
        core = nearest
        mean = np.mean(embeddings[core], axis=0)
        centre = mean / np.linalg.norm(mean)
    return centre, core
