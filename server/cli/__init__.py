"""The command line ``./run.sh``: a command for every tool, and commands for people only.

Exit codes: 0 done, 1 the job failed or was cancelled, 2 bad input, 130 interrupted while waiting (the job goes on).
"""

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

__all__ = ["BAD_INPUT", "DONE", "FAILED", "INTERRUPTED"]
