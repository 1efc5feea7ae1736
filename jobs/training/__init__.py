"""Training of a Qwen3-TTS voice.

``work`` has the order of a run: ``data`` and ``planning`` prepare it, ``run`` trains, ``export`` and ``report`` write.
"""

from jobs.training.params import DEFAULT_BASE, Params, Result

__all__ = ["DEFAULT_BASE", "Params", "Result"]
