"""A clip that is left out: data, not an error. It ends in a rejections file with its reason."""

from __future__ import annotations


class Rejected(Exception):
    """Raised by the step that finds a clip unusable, caught by the loop over the clips.

    Args:
        reason: stable, lower_snake_case.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
