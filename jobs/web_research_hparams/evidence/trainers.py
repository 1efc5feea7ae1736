"""Public trainers and the state of their loss, to classify values found on pages.

The states were read in the trainers' code (knowledge base: ``lora-no-correct``, ``label-check``). A repository is
stronger evidence than a mention.
"""

import re
from dataclasses import dataclass

from jobs.web_research_hparams.knowledge import LossState


@dataclass(frozen=True)
class Trainer:
    """One public trainer: its repository, a pattern of the names that people use, the state of its loss."""

    repository: str
    words: str
    loss_state: LossState


TRAINERS = (
    Trainer("modelscope/ms-swift", r"ms[- ]?swift", "correct"),
    Trainer("FelysNeko/qwen3-tts-post-training", r"qwen3-tts-post-training", "correct"),
    Trainer("QwenLM/Qwen3-TTS", r"sft_12hz\.py|official (?:script|fine-?tun\w*|trainer|recipe)", "misaligned"),
    Trainer("mozi1924/Qwen3-TTS-EasyFinetuning", r"easy[- ]?fine-?tuning", "misaligned"),
    Trainer("bc-dunia/qwen3-TTS-finetune-studio", r"finetune-studio", "misaligned"),
    Trainer("DarioFT/ComfyUI-Qwen3-TTS", r"ComfyUI-Qwen3-TTS", "misaligned"),
    Trainer("grahama1970/agent-skills", r"agent-skills", "misaligned"),
    Trainer("vspeech/Qwen3-TTS-Train", r"vspeech", "misaligned"),
    Trainer("groxaxo/Qwen3-TTS-Finetuning-Studio", r"groxaxo", "misaligned"),
    Trainer("tablerst/Qwen3-TTS-Fine", r"tablerst", "misaligned"),
    Trainer("sruckh/Qwen3-TTS-finetune", r"sruckh", "misaligned"),
    Trainer("instavar/qwen3-tts-lora-finetuning", r"instavar", "code_predictor_labels_wrong"),
    Trainer("Finrandojin/alexandria-audiobook", r"alexandria-audiobook", "code_predictor_labels_wrong"),
    Trainer("on22s/alexandria-audiobook2", r"alexandria-audiobook2", "code_predictor_labels_wrong"),
)
_WORST_FIRST: tuple[LossState, ...] = ("misaligned", "code_predictor_labels_wrong", "correct")


def classify_loss_state(url: str, words: str) -> LossState:
    """Classify the loss under which a value was measured; ``words`` are its sentence and title.

    A correct loss is accepted for a repository's own files only: anyone can mention a repository or open an issue in
    it. A faulty loss is accepted from a mention too.
    """
    repository = parse_repository(url)
    for trainer in TRAINERS:
        if repository == trainer.repository.lower():
            is_anyones = re.match(r"https://(?:www\.)?github\.com/[^/]+/[^/]+/(?:issues|pull|discussions)/", url)
            return "unknown" if is_anyones and trainer.loss_state == "correct" else trainer.loss_state
    named = {trainer.loss_state for trainer in TRAINERS if re.search(trainer.words, words, re.I)}
    return next((state for state in _WORST_FIRST if state in named and state != "correct"), "unknown")


def parse_repository(url: str) -> str:
    """Return ``owner/name`` of a GitHub address in lower case; empty for any other address."""
    found = re.match(r"https://(?:www\.)?github\.com/([\w.-]+/[\w.-]+)", url)
    return found[1].lower().removesuffix(".git") if found else ""
