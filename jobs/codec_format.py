"""Format of the Qwen3-TTS 12 Hz codec: sample rate, frame size and codebooks, the same in all released models.

Loaded codecs are in ``jobs.qwen.codec``. Number of entries per codebook differs between models and is read there.
"""

# Source of all four: speech_tokenizer/config.json of Qwen/Qwen3-TTS-Tokenizer-12Hz, and the defaults of
# Qwen3TTSTokenizerV2Config in qwen-tts 0.1.1; the key in that file is named beside each.
SAMPLE_RATE_HZ = 24_000  # input_sample_rate, output_sample_rate
SAMPLES_PER_FRAME = 1_920  # encode_downsample_rate, decode_upsample_rate
N_CODEBOOKS = 16  # encoder_valid_num_quantizers
FRAMES_PER_SECOND = SAMPLE_RATE_HZ / SAMPLES_PER_FRAME  # 12.5; encoder_config.frame_rate
