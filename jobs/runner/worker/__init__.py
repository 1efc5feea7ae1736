"""The worker process: runs a job kind's code and gives it a context."""
