"""Training of a Qwen3-TTS voice: ``data`` and ``planning`` prepare a run, ``run`` trains, ``export`` and ``report`` write.

``work`` is the order of a run.
"""

from jobs.training.params import DEFAULT_BASE, Params, Result

__all__ = ["DEFAULT_BASE", "Params", "Result"]
