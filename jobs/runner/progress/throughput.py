"""Throughput of a job: units of ``done`` a second, from its newest reports."""

from collections.abc import Sequence

from jobs.runner.models import Progress

RECENT_S = 60.0
LEAST_POINTS = 6  # slow units are counted further back than a minute
LEAST_POINTS_FOR_A_RATE = 3


def compute_rate(reports: Sequence[Progress]) -> float | None:
    """Compute units a second over the last minute, or over the last five units when they take longer.

    The first rise of ``done`` is left out: in it an attempt loads its models, and counts in one step all that the
    attempt before had finished. So is everything before the total changed or ``done`` fell: other work.

    Args:
        reports: of one attempt, oldest first; the newest ones are enough.

    Returns:
        None when too little is known yet.
    """
    reached: list[tuple[float, float]] = []  # time, done: when each value was first reached
    for report in reports:
        is_other_work = report.total != reports[-1].total
        if is_other_work or (reached and (report.done < reached[-1][1] or report.at < reached[-1][0])):
            reached = []
        if not is_other_work and (not reached or report.done > reached[-1][1]):
            reached.append((report.at, report.done))
    reached = reached[1:]
    if not reached:
        return None
    n_recent = sum(at >= reached[-1][0] - RECENT_S for at, _ in reached)
    recent = reached[-max(n_recent, LEAST_POINTS) :]
    took_s = recent[-1][0] - recent[0][0]
    if len(recent) < LEAST_POINTS_FOR_A_RATE or took_s <= 0:
        return None
    return (recent[-1][1] - recent[0][1]) / took_s
