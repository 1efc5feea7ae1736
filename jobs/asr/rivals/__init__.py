"""Rivals of a text's words: what a recogniser of English must be offered to hear that other words are said."""
