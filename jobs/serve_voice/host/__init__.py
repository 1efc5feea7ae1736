"""Speaking: one thread a model with the running decode loops, one that decodes codes to sound."""
