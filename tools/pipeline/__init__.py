"""Jobs that one call makes, one after another."""
