"""Identity of a 12 Hz speech tokenizer: what its codes mean is in its codebooks."""

import hashlib
from pathlib import Path

import torch

from jobs.dataset.coded_fields import CodesTokenizer
from jobs.dataset.manifest import MAX_NAME
from jobs.model_folders.contents import ModelFolder
from jobs.model_folders.safetensors_header import find_weights
from jobs.qwen.model_files import read_codec_config
from jobs.qwen.safetensors_io import read_tensors

CODEBOOKS = "encoder.quantizer."


def identify_tokenizer(folder: ModelFolder, ref: str) -> CodesTokenizer:
    """Identify the tokenizer in a folder, from its configuration and codebooks (67 MB of the released one).

    The codebooks are hashed as bfloat16, so that a copy in another number format is the same tokenizer.

    Args:
        folder: of the tokenizer itself.
        ref: how it was named: ``toy``, a hub id or a folder.

    Raises:
        UserError: as ``read_codec_config`` and ``find_weights``.
    """
    config = read_codec_config(folder, ref)
    digest = hashlib.sha256()
    for name, tensor in sorted(read_tensors(list(find_weights(folder).values()), CODEBOOKS)):
        digest.update(name.encode())
        digest.update(tensor.to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    name = Path(ref).name if Path(ref).is_absolute() else ref
    size = int(config["encoder_config"].get("codebook_size", 2048))
    return CodesTokenizer(name=name[:MAX_NAME], fingerprint=digest.hexdigest()[:16], codebook_size=size)
