"""Training side of Qwen3-TTS: input sequence, loss, LoRA."""
