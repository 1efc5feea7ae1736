"""Alias of the supervisor's loop for supervisors of version 0.1.

A supervisor that sees new code on the disk imports this name before it replaces itself with the new code. Remove it
when no supervisor of version 0.1 can still be running.
"""

from jobs.runner.supervisor.loop import Supervisor, supervise

__all__ = ["Supervisor", "supervise"]
