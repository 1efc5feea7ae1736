"""refine_voice: train a little, listen, decide, go on; the best voice is kept, not the last."""
