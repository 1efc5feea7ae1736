"""Run of a training: model setup, optimiser, loop, checkpoints, validation and evaluation samples. All load torch."""
