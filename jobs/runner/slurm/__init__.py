"""Slurm backend: submits attempts by ``sbatch`` and finds them by ``squeue``. stdlib only."""
