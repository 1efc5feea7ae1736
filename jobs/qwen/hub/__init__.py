"""Lookup of models by what a user calls them: ``toy``, a directory or a Hugging Face hub id."""

from jobs.qwen.hub.resolve import resolve_model, resolve_tokenizer

__all__ = ["resolve_model", "resolve_tokenizer"]
