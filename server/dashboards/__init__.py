"""TensorBoard and optuna-dashboard behind a key: their processes, the proxy before them, their commands."""
