"""``UserError``: the one error that users and agents see, with a stable code, what happened, and the next step.

The codes are registered in ``jobs.error_codes``. Adapters translate third-party errors to it; any other exception is a
defect of the product.
"""

from collections.abc import Iterator


class UserError(Exception):
    """Something the caller can act on.

    Args:
        code: stable, lower_snake_case, e.g. ``manifest_wrong_step``.
        message: what happened and why, with the offending value.
        hint: what to do next, with the call or the command.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f"\n{self.hint}" if self.hint else "")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an exception and those that led to it, newest first, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
