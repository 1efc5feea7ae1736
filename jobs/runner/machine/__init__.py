"""This machine: processes, locks, GPUs and free resources."""
