"""Tools in protocol types: entry of ``tools/list``, call, and result."""

import base64
import json
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from jobs.errors import UserError
from server.mcp.elicitation import InputRequired
from tools.core.answer_fields import answer_fields
from tools.core.errors import UNTRUSTED, error_fields, error_text, unexpected
from tools.core.registry import Tool, find_tool
from tools.core.tool_types import MediaAnswer, ToolContext
from tools.docs.schema import listed
from tools.inputs.arguments import parse_arguments

_JSON = json.JSONEncoder(ensure_ascii=False)


def as_tool(tool: Tool) -> types.Tool:
    """Return a tool's entry in ``tools/list``."""
    return types.Tool.model_validate(listed(tool))


async def call_tool(name: str, arguments: dict[str, Any], context: ToolContext) -> BaseModel | types.CallToolResult:
    """Call a tool; return its answer, or an error result.

    Raises:
        InputRequired: a form has to be filled first.
    """
    try:
        tool = find_tool(name)
        args = parse_arguments(tool.args, arguments, tool=name)
        return await tool.run(args, context)
    except UserError as error:
        return _error_result(error)
    except InputRequired:
        raise
    except Exception as error:
        return _error_result(unexpected(name, error, context.settings.home))


def as_result(answer: BaseModel, *, is_error: bool = False) -> types.CallToolResult:
    """Return an answer as a result.

    Clients that get structured content show their model nothing else, so it is complete; an answer with an image or
    audio has none.
    """
    fields = answer_fields(answer)
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=_JSON.encode(fields))]
    if not isinstance(answer, MediaAnswer):
        return types.CallToolResult(content=content, structured_content=fields, is_error=is_error)
    if answer.media is None:
        link = types.ResourceLink(
            type="resource_link",
            name=fields["name"],
            uri=fields["handle"],
            mime_type=fields.get("mime_type"),
            size=fields.get("size_bytes"),
        )
        return types.CallToolResult(content=[*content, link], structured_content=fields)
    data = base64.b64encode(answer.media.data).decode()
    block = (
        types.ImageContent(type="image", data=data, mime_type=answer.media.mime_type)
        if answer.media.mime_type.startswith("image/")
        else types.AudioContent(type="audio", data=data, mime_type=answer.media.mime_type)
    )
    return types.CallToolResult(content=[block, *content])


def _error_result(error: UserError) -> types.CallToolResult:
    fields = error_fields(error)
    text = f"{error_text(error)}\n({UNTRUSTED}: {', '.join(fields[UNTRUSTED])})"
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, structured_content=fields, is_error=True)
