"""Format of the Qwen3-TTS 12 Hz codec: sample rate, frame size and codebooks, the same in all released models.

Loaded codecs are in ``jobs.qwen.codec``. Number of entries per codebook differs between models and is read there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Source of all four: speech_tokenizer/config.json of Qwen/Qwen3-TTS-Tokenizer-12Hz, and the defaults of
# Qwen3TTSTokenizerV2Config in qwen-tts 0.1.1; the key in that file is named beside each.
SAMPLE_RATE_HZ = 24_000  # input_sample_rate, output_sample_rate
SAMPLES_PER_FRAME = 1_920  # encode_downsample_rate, decode_upsample_rate
N_CODEBOOKS = 16  # encoder_valid_num_quantizers
FRAMES_PER_SECOND = SAMPLE_RATE_HZ / SAMPLES_PER_FRAME  # 12.5; encoder_config.frame_rate


@dataclass(frozen=True)
class CodecFormat:
    """Rates and codebooks of one codec.

    Attributes:
        sample_rate_hz: of the audio.
        samples_per_frame: audio samples that one frame stands for.
        n_codebooks: codes per frame.
    """

    sample_rate_hz: int
    samples_per_frame: int
    n_codebooks: int

    @property
    def frames_per_second(self) -> float:
        """Frames in a second of audio."""
        return self.sample_rate_hz / self.samples_per_frame


EXPECTED = CodecFormat(SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, N_CODEBOOKS)


def read_codec_format(config: Mapping[str, Any]) -> CodecFormat:
    """Read the format from a codec's ``config.json``; a key that is left out has the value of the released codec.

    Args:
        config: content of ``speech_tokenizer/config.json``.
    """
    return CodecFormat(
        sample_rate_hz=int(config.get("output_sample_rate", SAMPLE_RATE_HZ)),
        samples_per_frame=int(config.get("decode_upsample_rate", SAMPLES_PER_FRAME)),
        n_codebooks=int(config.get("encoder_valid_num_quantizers", N_CODEBOOKS)),
    )
