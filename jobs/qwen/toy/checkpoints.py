"""Toy Qwen3-TTS checkpoints: the real classes and files with random weights, a few megabytes, made in about a second.

Tests and demo use them. ``speaking_toy`` has the committed one-voice codec, so that a talker trained on it produces
speech; every other toy produces noise.
"""

import hashlib
import json
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from jobs.files.atomic_io import write_json
from jobs.qwen.toy import config as toy_config
from jobs.qwen.toy.config import Shape
from jobs.qwen.toy.tokenizer import write_text_tokenizer

TOY_CODEC = Path(__file__).resolve().parent.parent / "toy_codec"

# weight_std: the first frame is silence that hardly differs between sentences, and a wrong first frame leads to another
# sentence. Over-fitted on the sample's 18 sentences, 0.02 left such frames in each of three runs, 0.06 in four of ten;
# on the eight that the demo trains, 0.06 left none in six runs (our measurement).
_SPEAKING = {
    "shape": "1.7b", "codebook_size": 256, "hidden": 128, "layers": 3, "predictor_hidden": 48, "weight_std": 0.06,
    "seed": 0,
}  # fmt: skip


def make_toy_base(
    folder: Path,
    *,
    shape: Shape,
    codebook_size: int = 2048,
    hidden: int = 64,
    layers: int = 2,
    predictor_hidden: int | None = None,
    seed: int = 0,
    weight_std: float = 0.02,
    codec: Path | None = None,
) -> Path:
    """Write a base model with random weights that upstream ``qwen_tts`` loads.

    Args:
        shape: ``0.6b`` (text wider than the talker) or ``1.7b`` (equal widths, ``small_to_mtp_projection``).
        weight_std: spread of the talker's matrices. 0.02 is upstream's default; at 0.1 greedy generation produces
            many different codes, which a test of alignment needs.
        codec: 12 Hz tokenizer to copy instead of making a random one.
    """
    import torch

    from jobs.qwen.upstream import qwen_tts

    package = qwen_tts()
    folder.mkdir(parents=True, exist_ok=True)
    text_ids, text_vocab_size = write_text_tokenizer(folder)
    config = toy_config.model_config(
        shape=shape,
        text_ids=text_ids,
        text_vocab_size=text_vocab_size,
        codebook_size=codebook_size,
        hidden=hidden,
        layers=layers,
        predictor_hidden=predictor_hidden,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        models = package.core.models
        model = models.Qwen3TTSForConditionalGeneration(models.Qwen3TTSConfig(**_constructor_keys(config)))
        _spread_weights(model.talker, weight_std)
        _write_checkpoint(folder, config, model)
        write_json(folder / "generation_config.json", toy_config.GENERATION)
        if codec is None:
            make_toy_codec(folder / "speech_tokenizer", codebook_size=codebook_size, seed=seed)
        else:
            shutil.copytree(codec, folder / "speech_tokenizer", dirs_exist_ok=True)
    return folder


def make_toy_codec(folder: Path, *, codebook_size: int = 2048, seed: int = 0) -> Path:
    """Write a 12 Hz tokenizer with random weights: correct shapes and rates, diverse codes, noise as audio."""
    import torch

    from jobs.qwen.upstream import qwen_tts

    core = qwen_tts().core
    folder.mkdir(parents=True, exist_ok=True)
    config = toy_config.codec_config(codebook_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = core.Qwen3TTSTokenizerV2Model(core.Qwen3TTSTokenizerV2Config(**_constructor_keys(config)))
        _fill_codebooks(codec)
    _write_checkpoint(folder, config, codec)
    write_json(folder / "preprocessor_config.json", toy_config.CODEC_PREPROCESSOR)
    return folder


def speaking_toy(home: Path) -> Path:
    """Return the toy base with the committed one-voice codec, building it once under ``<home>/models``.

    The folder's name contains a hash of everything that it is made of. It is built under a temporary name and renamed,
    so two processes may call this at once.
    """
    models = home / "models"
    target = models / f"toy-{_speaking_hash()}"
    if (target / "config.json").is_file():
        return target
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models, prefix=".toy-") as scratch:
        built = make_toy_base(Path(scratch) / "toy", codec=TOY_CODEC, **_SPEAKING)  # type: ignore[arg-type]
        try:
            built.rename(target)
        except OSError:
            if not (target / "config.json").is_file():  # another process was first; its folder is the same
                raise
    return target


def _speaking_hash() -> str:
    digest = hashlib.sha256(json.dumps(_SPEAKING, sort_keys=True).encode())
    here = Path(__file__).resolve()
    for path in [here, *sorted(here.parent.glob("*.py")), *sorted(TOY_CODEC.iterdir())]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _constructor_keys(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "architectures"}


def _spread_weights(talker: Any, std: float) -> None:
    """Scale every matrix of the talker from its initial standard deviation of 0.02 to ``std``; norms stay at one."""
    import torch

    with torch.no_grad():
        for parameter in talker.parameters():
            if parameter.dim() > 1:
                parameter.mul_(std / 0.02)


def _fill_codebooks(codec: Any) -> None:
    """Fill the codebooks of encoder and decoder with the same values; upstream leaves them at zero."""
    import torch

    encoder, decoder = codec.encoder.quantizer, codec.decoder.quantizer
    pairs = [
        (encoder.semantic_residual_vector_quantizer, decoder.rvq_first),
        (encoder.acoustic_residual_vector_quantizer, decoder.rvq_rest),
    ]
    with torch.no_grad():
        for encoder_side, decoder_side in pairs:
            for depth, (reads, writes) in enumerate(zip(encoder_side.layers, decoder_side.vq.layers, strict=True)):
                entries = torch.randn_like(reads.codebook.embed_sum) * 0.8**depth
                reads.codebook.embed_sum.copy_(entries)
                reads.codebook.cluster_usage.fill_(1.0)
                reads.codebook._embed = None  # the cached quotient of the two
                writes._codebook.embedding_sum.copy_(entries)
                writes._codebook.cluster_usage.fill_(1.0)


def _write_checkpoint(folder: Path, config: dict[str, Any], model: Any) -> None:
    from safetensors.torch import save_file

    weights = {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(stat.S_IMODE(folder.stat().st_mode) & 0o666)  # written for the owner alone
    write_json(folder / "config.json", config)
