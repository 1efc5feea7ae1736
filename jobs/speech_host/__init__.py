"""The way from a job to a resident host of voices, over a socket of the home. Imports no torch."""
