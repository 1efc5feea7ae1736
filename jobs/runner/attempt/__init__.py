"""One attempt of a job: its specification, its claim, its outcome."""
