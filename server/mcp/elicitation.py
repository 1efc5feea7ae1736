"""Asks the person through the client: ``elicitation/create`` on the handshake revisions, ``input_required`` since.

Since 2026-07-28 a server cannot send requests: the call is answered with the question, and made again with the answer.
"""

from __future__ import annotations

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
from tools.core.tool_types import FormT

FORM = "form"


class InputRequired(Exception):
    """Ends a call whose answer is a question."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("the call needs an answer of the person")
        self.result = result


class Asking:
    """``ToolContext.ask`` for one call: at most one form."""

    def __init__(self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> None:
        self._context = context
        self._params = params

    async def __call__(self, message: str, form: type[FormT]) -> FormT | None:
        """Ask, or find the answer in the repeated call."""
        if not can_fill_forms(self._context.session):
            return None
        schema = render_elicitation_schema(form)
        if self._context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            answer = self._answer_to(message, schema)
        else:
            answer = await self._context.session.elicit_form(message, schema, self._context.request_id)
        return _filled(answer, form)

    def _answer_to(self, message: str, schema: dict[str, Any]) -> types.ElicitResult:
        """The answer that came with the repeated call; the question is asked again if it has changed since."""
        question = hashlib.sha256(json.dumps([message, schema]).encode()).hexdigest()
        given = (self._params.input_responses or {}).get(FORM)
        if isinstance(given, types.ElicitResult) and self._params.request_state == question:
            return given
        asked = types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))
        raise InputRequired(types.InputRequiredResult(input_requests={FORM: asked}, request_state=question))


def can_fill_forms(session: ServerSession) -> bool:
    """Whether the client shows forms; one that declares only ``url`` does not."""
    capabilities = session.client_capabilities
    asking = capabilities.elicitation if capabilities is not None else None
    return asking is not None and (asking.form is not None or asking.url is None)


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
