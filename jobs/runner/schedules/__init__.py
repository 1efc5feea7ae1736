"""Schedules: work that is submitted again at each planned time."""

from jobs.runner.schedules.rule import ScheduleRule
from jobs.runner.schedules.schedules import Schedule, Schedules

__all__ = ["Schedule", "ScheduleRule", "Schedules"]
