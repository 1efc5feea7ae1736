"""Helpers that the tests and the benchmarks share. Neither of the two imports the other."""
