"""Hostile datasets of other tools: LJSpeech, Hugging Face, lhotse."""
