"""The step from clips to codes of the Qwen3-TTS codec: (frames, 16) codebook indices a clip, 12.5 frames/s."""
