"""Reports of a rating."""
