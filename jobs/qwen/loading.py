"""Loading of a model's directory as upstream's classes: one way for training and for synthesis.

Directories come from ``jobs.qwen.hub``. Only known files are read, as links or checked documents in a private folder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.model_folders.checked_loading import checked_class, loading_explained
from jobs.model_folders.contents import ModelFolder, broken, staged
from jobs.model_folders.safetensors_header import read_weights
from jobs.qwen.config_schema import check_codec_input
from jobs.qwen.model_files import (
    CODEC,
    OPTIONAL_TEXT_FILES,
    TEXT_FILES,
    read_codec_config,
    read_model_config,
    read_sampling,
)
from jobs.qwen.upstream import qwen_tts

if TYPE_CHECKING:
    import torch


def load_base(path: Path, device: str, dtype: torch.dtype, *, with_codec: bool = False) -> Any:
    """Load a model's directory as upstream's ``Qwen3TTSModel`` (``.model``, ``.processor``, ``.generate_defaults``).

    Args:
        dtype: of talker and speaker encoder. The codec is always float32: bfloat16 changes its codes.
        with_codec: load ``speech_tokenizer`` (0.7 GB) too. Training does not need it.

    Raises:
        UserError: ``model_broken``, ``model_without_weights``, ``path_outside_model``, ``file_not_regular``.
    """
    folder = ModelFolder.at(path)
    config, sampling, weights = read_model_config(path), read_sampling(folder), read_weights(folder)
    texts = folder.find_all((*TEXT_FILES, *OPTIONAL_TEXT_FILES))
    package = qwen_tts()  # before transformers, because it keeps out what transformers imports besides
    from transformers import PreTrainedModel

    models = package.core.models
    documents = {name: folder.read(name) for name in texts if name.endswith("_config.json")}
    files = {"config.json": config, "generation_config.json": sampling, **weights.to_stage(), **texts, **documents}
    with staged(files) as known, loading_explained(path):
        checked = checked_class(models.Qwen3TTSForConditionalGeneration, weights.tensors, path)
        # not upstream's override of from_pretrained, which always loads the codec, and in the talker's dtype
        model = PreTrainedModel.from_pretrained.__func__(
            checked,
            str(known),
            config=models.Qwen3TTSConfig.from_pretrained(str(known)),
            dtype=dtype,
            device_map=device,
            attn_implementation="sdpa",
            use_safetensors=True,
        )
        model.__class__ = models.Qwen3TTSForConditionalGeneration
        processor = load_processor(known)
    _check_ids(processor.tokenizer, config["talker_config"]["text_vocab_size"], path)
    model.load_generate_config(sampling)
    if with_codec:
        model.load_speech_tokenizer(_load_codec(folder.inner(CODEC), device))
    return package.Qwen3TTSModel(model=model, processor=processor, generate_defaults=model.generate_config)


def own_weights(*modules: torch.nn.Module) -> None:
    """Copy weights on a CPU into memory of this process, one tensor at a time.

    Loaded in the number format of their file they are that file, mapped: who writes over it would change a model that
    speaks, and who shortens it would end the process.
    """
    mapped = _mapped_files()
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            place = tensor.data_ptr()
            if tensor.device.type == "cpu" and any(first <= place < last for first, last in mapped):
                tensor.data = tensor.data.clone()


def _mapped_files() -> list[tuple[int, int]]:
    """Return where files are mapped in this process; all of the memory where the system does not say."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [(0, sys.maxsize)]
    found = (line.split(maxsplit=5) for line in lines)
    places = (fields[0].split("-") for fields in found if len(fields) == 6 and fields[5].startswith("/"))
    return [(int(first, 16), int(last, 16)) for first, last in places]


def load_processor(folder: Path) -> Any:
    """Load the text tokenizer of a folder, with the ids that stock gives when it loads the model by its hub id.

    Stock asks transformers to replace the pattern that parts words by Mistral's. For a hub id of Qwen's that does
    nothing; for a folder it does, with some ``transformers_version`` values of its config: other ids for "iPhone".
    """
    processor: Any = qwen_tts().core.models.Qwen3TTSProcessor.from_pretrained(str(folder), fix_mistral_regex=False)
    return processor


def load_tokenizer(path: Path, device: str) -> Any:
    """Load a 12 Hz speech tokenizer's directory as upstream's ``Qwen3TTSTokenizer``, in float32.

    Raises:
        UserError: as ``load_base``.
    """
    return _load_codec(ModelFolder.at(path), device)


def _load_codec(folder: ModelFolder, device: str) -> Any:
    config, weights = read_codec_config(folder, str(folder.path)), read_weights(folder)
    name = "preprocessor_config.json"
    input_config = folder.read(name)
    check_codec_input(input_config, folder.path / name)
    package = qwen_tts()
    import torch
    from transformers import EncodecFeatureExtractor

    model_class = package.core.Qwen3TTSTokenizerV2Model
    files = {"config.json": config, name: input_config, **weights.to_stage()}
    with staged(files) as known, loading_explained(folder.path):
        # not upstream's from_pretrained, which takes the classes that the files name
        tokenizer = package.Qwen3TTSTokenizer()
        tokenizer.feature_extractor = EncodecFeatureExtractor.from_pretrained(str(known))
        tokenizer.model = checked_class(model_class, weights.tensors, folder.path).from_pretrained(
            str(known),
            config=package.core.Qwen3TTSTokenizerV2Config.from_pretrained(str(known)),
            dtype=torch.float32,
            device_map=device,
            use_safetensors=True,
        )
    tokenizer.model.__class__ = model_class
    tokenizer.config, tokenizer.device = tokenizer.model.config, tokenizer.model.device
    return tokenizer


def _check_ids(tokenizer: Any, n_rows: int, where: Path) -> None:
    """Check that every token has a row in the text embedding."""
    largest = max(tokenizer.get_vocab().values(), default=0)
    if largest >= n_rows:
        raise broken(where, f"has token {largest} in its text tokenizer, and {n_rows} rows for tokens")
