"""``UserError``: the one error that users and agents see, with a stable code, what happened, and the next step.

The codes are registered in ``jobs.error_codes``. Adapters translate third-party errors to it; any other exception is a
defect of the product.

"""


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
