"""Elicitation: forms that the client shows to its user.

The handshake revisions have the request ``elicitation/create``. Since 2026-07-28 a server cannot send requests: a call
is answered with ``input_required``, and the client repeats it with the filled form.
"""

import hashlib
import json
from typing import Any

import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.server.elicitation import render_elicitation_schema
from mcp.server.session import ServerSession
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from jobs.errors import UserError
from jobs.escaping import escape, escaped
from tools.core.tool_types import FormT

FORM = "form"


class InputRequired(Exception):
    """Result ``input_required`` of a call."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("the call needs input of the client's user")
        self.result = result


class Elicitor:
    """``ToolContext.ask`` for one call: at most one form."""

    def __init__(self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> None:
        self._context = context
        self._params = params

    async def __call__(self, message: str, form: type[FormT]) -> FormT | None:
        """Show the form, or take its answer from the repeated call."""
        if not can_fill_forms(self._context.session):
            return None
        message, schema = escape(message), escaped(render_elicitation_schema(form))
        if self._context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            answer = self._answer_to(message, schema)
        else:
            answer = await self._context.session.elicit_form(message, schema, self._context.request_id)
        return _filled(answer, form)

    def _answer_to(self, message: str, schema: dict[str, Any]) -> types.ElicitResult:
        """Return the answer in the repeated call; ask again if the form has changed since."""
        question = hashlib.sha256(json.dumps([message, schema]).encode()).hexdigest()
        given = (self._params.input_responses or {}).get(FORM)
        if isinstance(given, types.ElicitResult) and self._params.request_state == question:
            return given
        request = types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))
        raise InputRequired(types.InputRequiredResult(input_requests={FORM: request}, request_state=question))


def can_fill_forms(session: ServerSession) -> bool:
    """Return True if the client shows forms; one that declares only ``url`` does not."""
    capabilities = session.client_capabilities
    declared = capabilities.elicitation if capabilities is not None else None
    return declared is not None and (declared.form is not None or declared.url is None)


def _filled(answer: types.ElicitResult, form: type[FormT]) -> FormT:
    if answer.action != "accept":
        raise UserError(
            "person_declined",
            "The person did not want to answer now.",
            "Nothing was stored. Go on with something else, or ask again when the person is ready.",
        )
    try:
        return form.model_validate(answer.content or {})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UserError(
            "answer_unfit", f"The answer does not fit the form: {faults}.", "Nothing was stored. Call again."
        ) from error
