"""Loading of the model that speaks in this process."""

import logging

from jobs.qwen.devices import compute_device, limit_cpu_threads
from jobs.qwen.model_info import VoiceModel
from jobs.qwen.speech.sound import Reference
from jobs.qwen.speech.synthesizer import Synthesizer, load_synthesizer

logger = logging.getLogger(__name__)


def load_voice(
    model: VoiceModel, speaker: str | None, language: str, reference: Reference | None, instruct: str | None
) -> Synthesizer:
    """Load a voice.

    Raises:
        UserError: those of ``load_synthesizer``.
    """
    device = compute_device()
    synthesizer = load_synthesizer(
        model, device, speaker=speaker, language=language, reference=reference, instruct=instruct
    )
    n_threads = limit_cpu_threads(synthesizer.n_parameters)
    logger.info("loaded %s on %s, %d CPU threads", model.folder, device, n_threads)
    return synthesizer
