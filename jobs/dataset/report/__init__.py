"""Reports of a dataset: figures, pictures, HTML."""
