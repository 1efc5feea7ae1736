"""Training data: manifest rows, datasets, batches."""
