"""Ids of jobs whose processes a test starts itself."""

import os


def make_job_id(kind: str) -> str:
    """Return a job id that only this process of the tests has: leftover processes of an attempt are found by it."""
    return f"{kind}-20260101-000000-{os.getpid() % 0x10000:04x}"
