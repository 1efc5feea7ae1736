"""A training run: model set-up, loop, checkpoints, evaluation samples."""
