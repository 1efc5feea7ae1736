"""Rating of takes: the score formula and human ratings."""
