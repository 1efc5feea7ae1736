"""Loading of a wav2vec2 CTC model by folder or hub id, from known files only. Torchaudio's bundles are WhisperX's."""

from pathlib import Path
from typing import Any

from jobs.files.user_folder import expand_user
from jobs.model_folders.checked_loading import PICKLED_WEIGHTS, load_checked, loading_explained
from jobs.model_folders.contents import ModelFolder, broken, staged
from jobs.model_folders.lean_transformers import lean_transformers

TOKENIZER_FILES = ("vocab.json", "added_tokens.json", "special_tokens_map.json")
TOKENIZER_CONFIG = "tokenizer_config.json"
SAMPLE_RATE_HZ = 16_000
FRAMES_PER_SECOND = 49  # whole windows of 400 samples, 320 apart
UNUSED = ("masked_spec_embed",)  # of training
DOWNLOADED = ["config.json", TOKENIZER_CONFIG, *TOKENIZER_FILES, "*.safetensors", "*.safetensors.index.json"]


def load_wav2vec2(name: str, *, is_on_disk: bool) -> tuple[Any, dict[str, int]]:
    """Load a model on the CPU, with the dictionary of its characters, lower case.

    Args:
        name: directory or hub id.
        is_on_disk: nothing is downloaded.

    Raises:
        UserError: ``model_broken``, ``model_without_weights``, ``path_outside_model``, ``file_not_regular``,
            ``file_too_large``.
        OSError, ValueError: the hub's errors.
    """
    with lean_transformers():
        from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    folder = ModelFolder.at(_find_folder(name, is_on_disk=is_on_disk))
    if folder.find("config.json") is None:
        raise ValueError("the folder has no config.json")
    files: dict[str, Path | dict[str, Any]] = {**folder.find_all(TOKENIZER_FILES)}
    if folder.find(TOKENIZER_CONFIG) is not None:
        files[TOKENIZER_CONFIG] = folder.read(TOKENIZER_CONFIG)
    with staged(files) as known, loading_explained(folder.path):
        tokens = Wav2Vec2CTCTokenizer.from_pretrained(str(known), local_files_only=True).get_vocab()
        dictionary = {str(label).lower(): int(number) for label, number in tokens.items()}
    network = load_checked(Wav2Vec2ForCTC, folder, unused=UNUSED).eval()
    _try(network, folder.path)
    known_labels = range(network.config.vocab_size)
    if any(len(label) == 1 and number not in known_labels for label, number in dictionary.items()):
        raise broken(folder.path, f"has characters without one of its {len(known_labels)} labels")
    # a tokenizer adds the ends of a sentence, which no such network was trained to say
    return network, {label: number for label, number in dictionary.items() if number in known_labels}


def _try(network: Any, where: Path) -> None:
    """Hear a second of silence: what a configuration says beyond the shapes of weights shows only then."""
    import torch

    with torch.inference_mode(), loading_explained(where):
        found = tuple(network(torch.zeros(1, SAMPLE_RATE_HZ)).logits.shape)
    if found != (1, FRAMES_PER_SECOND, network.config.vocab_size):
        raise broken(where, f"makes {found[1]} frames of a second; a wav2vec2 makes {FRAMES_PER_SECOND}")


def _find_folder(name: str, *, is_on_disk: bool) -> Path:
    given = expand_user(name)
    if given.is_dir():
        return given
    from huggingface_hub import snapshot_download

    if is_on_disk:
        return Path(snapshot_download(name, local_files_only=True))
    folder = Path(snapshot_download(name, allow_patterns=DOWNLOADED))
    if not any(folder.glob("*.safetensors")):
        folder = Path(snapshot_download(name, allow_patterns=[*DOWNLOADED, PICKLED_WEIGHTS]))
    return folder
