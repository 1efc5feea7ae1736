"""Tools, resources and prompts that the conformance suite calls by name, in addition to the product's own.

Registered on the product's server by wrapping its handlers; a name that is not of the suite goes through.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.shared.exceptions import MCPError

sys.path.append(str(Path(__file__).resolve().parents[1] / "extra" / "work"))
from counting import png

PNG = base64.b64encode(png()).decode()
SAMPLES = b"\0\0" * 8
FORMAT = struct.pack("<IHHIIHH", 16, 1, 1, 24000, 48000, 2, 16)
HEADER = b"RIFF" + struct.pack("<I", 36 + len(SAMPLES)) + b"WAVEfmt " + FORMAT + b"data"
WAV = base64.b64encode(HEADER + struct.pack("<I", len(SAMPLES)) + SAMPLES).decode()
Tool = Callable[[Any, types.CallToolRequestParams], Awaitable[Any]]
TOOLS: dict[str, Tool] = {}
SCHEMAS: dict[str, dict[str, Any]] = {}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}


def tool(schema: dict[str, Any] = NOTHING) -> Callable[[Tool], Tool]:
    """Register a tool under its function's name."""

    def register(function: Tool) -> Tool:
        TOOLS[function.__name__] = function
        SCHEMAS[function.__name__] = schema
        return function

    return register


def said(text: str, **more: Any) -> types.CallToolResult:
    """A text."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], **more)


def embedded(uri: str, mime_type: str, text: str) -> types.EmbeddedResource:
    """A resource within an answer."""
    content = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return types.EmbeddedResource(type="resource", resource=content)


def form(message: str, properties: dict[str, Any], required: list[str] | None = None) -> types.ElicitRequest:
    """A question with a form."""
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def name_form() -> types.ElicitRequest:
    """The suite's usual question."""
    return form("What is your name?", {"name": {"type": "string"}}, ["name"])


def sampling(text: str, max_tokens: int) -> types.CreateMessageRequest:
    """A question to the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


def asks(requests: dict[str, Any], state: str | None = None) -> types.InputRequiredResult:
    """A question instead of an answer."""
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def accepted(params: Any, key: str) -> dict[str, Any] | None:
    """Return the value of a key in a filled form, if any."""
    answer = (params.input_responses or {}).get(key)
    return answer.content if isinstance(answer, types.ElicitResult) and answer.action == "accept" else None


@tool()
async def test_simple_text(context: Any, params: types.CallToolRequestParams) -> Any:
    """Text."""
    return said("This is a simple text response for testing.")


@tool({"type": "object", "properties": {"name": {"type": "string"}}})
async def greet(context: Any, params: types.CallToolRequestParams) -> Any:
    """Text without a task."""
    return said(f"Hello, {(params.arguments or {}).get('name', 'you')}!")


@tool()
async def test_image_content(context: Any, params: types.CallToolRequestParams) -> Any:
    """An image."""
    return types.CallToolResult(content=[types.ImageContent(type="image", data=PNG, mime_type="image/png")])


@tool()
async def test_audio_content(context: Any, params: types.CallToolRequestParams) -> Any:
    """A sound."""
    return types.CallToolResult(content=[types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")])


@tool()
async def test_embedded_resource(context: Any, params: types.CallToolRequestParams) -> Any:
    """A resource."""
    block = embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    return types.CallToolResult(content=[block])


@tool()
async def test_multiple_content_types(context: Any, params: types.CallToolRequestParams) -> Any:
    """Three kinds at once."""
    return types.CallToolResult(
        content=[
            types.TextContent(type="text", text="Multiple content types test:"),
            types.ImageContent(type="image", data=PNG, mime_type="image/png"),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ]
    )


@tool()
async def test_error_handling(context: Any, params: types.CallToolRequestParams) -> Any:
    """An error."""
    return said("This tool intentionally returns an error for testing", is_error=True)


async def _log(context: Any, text: str) -> None:
    await context.session.send_log_message("info", text, related_request_id=context.request_id)


@tool()
async def test_tool_with_logging(context: Any, params: types.CallToolRequestParams) -> Any:
    """Three lines of log."""
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await _log(context, text)
        await asyncio.sleep(0.05)
    return said("done")


@tool()
async def test_logging_tool(context: Any, params: types.CallToolRequestParams) -> Any:
    """Send a log line to clients that requested logs."""
    await _log(context, "a line")
    return said("done")


@tool()
async def test_tool_with_progress(context: Any, params: types.CallToolRequestParams) -> Any:
    """Progress, by the product's own way."""
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await asyncio.sleep(0.05)
    return said("done")


@tool({"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]})
async def test_sampling(context: Any, params: types.CallToolRequestParams) -> Any:
    """Ask the client's model (handshake revisions)."""
    request = sampling(params.arguments["prompt"], 100)
    answer = await context.session.create_message(
        request.params.messages, max_tokens=100, related_request_id=context.request_id
    )
    return said(f"LLM response: {answer.content.text}")


async def _elicited(context: Any, request: types.ElicitRequest) -> types.ElicitResult:
    return await context.session.elicit_form(
        request.params.message, request.params.requested_schema, context.request_id
    )


@tool({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]})
async def test_elicitation(context: Any, params: types.CallToolRequestParams) -> Any:
    """Ask the person (handshake revisions)."""
    fields = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    answer = await _elicited(context, form(params.arguments["message"], fields, ["username", "email"]))
    return said(f"User response: action={answer.action}, content={json.dumps(answer.content)}")


@tool()
async def test_elicitation_sep1034_defaults(context: Any, params: types.CallToolRequestParams) -> Any:
    """A form with defaults."""
    fields = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    answer = await _elicited(context, form("Please fill in", fields))
    return said(f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}")


@tool()
async def test_elicitation_sep1330_enums(context: Any, params: types.CallToolRequestParams) -> Any:
    """A form with choices of every kind."""
    three = ["option1", "option2", "option3"]

    def titled(prefix: str, title: str) -> list[dict[str, str]]:
        return [
            {"const": f"{prefix}{place}", "title": f"{word} {title}"}
            for place, word in enumerate(("First", "Second", "Third"), 1)
        ]

    fields = {
        "untitledSingle": {"type": "string", "enum": three},
        "titledSingle": {"type": "string", "oneOf": titled("value", "Option")},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
                       "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": three}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("value", "Choice")}},
    }  # fmt: skip
    answer = await _elicited(context, form("Please choose", fields))
    return said(f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}")


@tool()
async def test_input_required_result_elicitation(context: Any, params: types.CallToolRequestParams) -> Any:
    """One question."""
    given = accepted(params, "user_name")
    return asks({"user_name": name_form()}) if not given or "name" not in given else said(f"Hello, {given['name']}!")


@tool()
async def test_input_required_result_sampling(context: Any, params: types.CallToolRequestParams) -> Any:
    """One question to the model."""
    answer = (params.input_responses or {}).get("capital_question")
    if answer is None:
        return asks({"capital_question": sampling("What is the capital of France?", 100)})
    return said(answer.content.text)


@tool()
async def test_input_required_result_list_roots(context: Any, params: types.CallToolRequestParams) -> Any:
    """The client's roots."""
    answer = (params.input_responses or {}).get("client_roots")
    if answer is None:
        return asks({"client_roots": types.ListRootsRequest()})
    return said(", ".join(str(root.uri) for root in answer.roots))


@tool()
async def test_input_required_result_request_state(context: Any, params: types.CallToolRequestParams) -> Any:
    """A question with a state that comes back."""
    if accepted(params, "confirm") is None or params.request_state != "asked":
        return asks({"confirm": form("Please confirm", {"ok": {"type": "boolean"}}, ["ok"])}, "asked")
    return said("state-ok")


@tool()
async def test_input_required_result_tampered_state(context: Any, params: types.CallToolRequestParams) -> Any:
    """A state that must not be changed."""
    return await test_input_required_result_request_state(context, params)


@tool()
async def test_input_required_result_multiple_inputs(context: Any, params: types.CallToolRequestParams) -> Any:
    """Three questions at once."""
    wanted = {
        "user_name": name_form(),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": types.ListRootsRequest(),
    }
    if wanted.keys() <= (params.input_responses or {}).keys():
        return said("all three")
    return asks(wanted, "three")


@tool()
async def test_input_required_result_multi_round(context: Any, params: types.CallToolRequestParams) -> Any:
    """Two questions, one after the other."""
    if params.request_state is None:
        return asks({"step1": form("Step 1: What is your name?", {"name": {"type": "string"}}, ["name"])}, "1")
    if params.request_state == "1":
        question = form("Step 2: What is your favorite color?", {"color": {"type": "string"}}, ["color"])
        return asks({"step2": question}, "2")
    return said("both")


@tool()
async def test_input_required_result_capabilities(context: Any, params: types.CallToolRequestParams) -> Any:
    """Only what the client has declared."""
    declared = context.session.client_capabilities
    wanted: dict[str, Any] = {}
    if declared is not None and declared.elicitation is not None:
        wanted["name"] = name_form()
    if declared is not None and declared.sampling is not None:
        wanted["greeting"] = sampling("Generate a greeting", 50)
    return asks(wanted) if wanted and not params.input_responses else said("done")


@tool()
async def test_missing_capability(context: Any, params: types.CallToolRequestParams) -> Any:
    """Refuses a client without sampling."""
    declared = context.session.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", {"requiredCapabilities": {"sampling": {}}}
        )
    return said("done")


@tool()
async def test_streaming_elicitation(context: Any, params: types.CallToolRequestParams) -> Any:
    """Progress, then a question."""
    await context.session.report_progress(1, 2)
    return asks({"user_name": name_form()}) if not params.input_responses else said("done")


HEADER_TOOL = "test_header_parameter"
HEADER_SCHEMA = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
}


@tool(HEADER_SCHEMA)
async def test_header_parameter(context: Any, params: types.CallToolRequestParams) -> Any:
    """A parameter that a header repeats."""
    return said(params.arguments["region"])


SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@tool(SCHEMA_2020_12)
async def json_schema_2020_12_tool(context: Any, params: types.CallToolRequestParams) -> Any:
    """A schema with everything."""
    return said("done")


RESOURCES = {
    "test://static-text": ("text/plain", "This is the content of the static text resource."),
    "test://static-binary": ("image/png", None),
    "test://watched-resource": ("text/plain", "watched"),
}
PROMPTS: dict[str, list[str]] = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": ["arg1", "arg2"],
    "test_prompt_with_embedded_resource": ["resourceUri"],
    "test_prompt_with_image": [],
    "test_input_required_result_prompt": [],
}


def prompt_of(params: types.GetPromptRequestParams) -> Any:
    """The suite's prompts."""
    given = params.arguments or {}
    text: Any = {
        "test_simple_prompt": "This is a simple prompt for testing.",
        "test_prompt_with_arguments": f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'",
        "test_prompt_with_embedded_resource": "Please process the embedded resource above.",
        "test_prompt_with_image": "Please analyze the image above.",
    }.get(params.name)
    blocks: list[Any] = []
    if params.name == "test_prompt_with_embedded_resource":
        blocks = [embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing.")]
    if params.name == "test_prompt_with_image":
        blocks = [types.ImageContent(type="image", data=PNG, mime_type="image/png")]
    if params.name == "test_input_required_result_prompt":
        filled = accepted(params, "user_context")
        if filled is None:
            fields = {"context": {"type": "string"}}
            return asks({"user_context": form("What context should the prompt use?", fields, ["context"])})
        text = f"Context: {filled['context']}"
    blocks.append(types.TextContent(type="text", text=text))
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=block) for block in blocks])


def add_fixtures(server: Server[Any]) -> None:
    """Put the suite's names beside the product's."""

    def own(method: str) -> Any:
        entry = server.get_request_handler(method)
        return entry.handler if entry is not None else None

    list_tools, call_tool, read = own("tools/list"), own("tools/call"), own("resources/read")
    list_resources, list_templates = own("resources/list"), own("resources/templates/list")
    list_prompts, get_prompt = own("prompts/list"), own("prompts/get")

    async def all_tools(context: Any, params: Any) -> Any:
        ours = (await list_tools(context, params)).tools
        theirs = [types.Tool(name=name, description=name, input_schema=SCHEMAS[name]) for name in TOOLS]
        return types.ListToolsResult(tools=[*ours, *theirs])

    async def any_tool(context: Any, params: Any) -> Any:
        theirs = TOOLS.get(params.name)
        return await (theirs(context, params) if theirs is not None else call_tool(context, params))

    async def all_resources(context: Any, params: Any) -> Any:
        theirs = [types.Resource(name=uri, uri=uri, mime_type=mime) for uri, (mime, _) in RESOURCES.items()]
        return types.ListResourcesResult(resources=[*(await list_resources(context, params)).resources, *theirs])

    async def all_templates(context: Any, params: Any) -> Any:
        ours = (await list_templates(context, params)).resource_templates
        theirs = types.ResourceTemplate(name="data", uri_template="test://template/{id}/data")
        return types.ListResourceTemplatesResult(resource_templates=[*ours, theirs])

    async def any_resource(context: Any, params: Any) -> Any:
        uri = str(params.uri)
        if uri in RESOURCES:
            mime, text = RESOURCES[uri]
            if text is None:
                content: Any = types.BlobResourceContents(uri=uri, mime_type=mime, blob=PNG)
            else:
                content = types.TextResourceContents(uri=uri, mime_type=mime, text=text)
        elif uri.startswith("test://template/"):
            place = uri.split("/")[3]
            text = json.dumps({"id": place, "templateTest": True, "data": f"Data for ID: {place}"})
            content = types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
        else:
            return await read(context, params)
        return types.ReadResourceResult(contents=[content])

    async def all_prompts(context: Any, params: Any) -> Any:
        theirs = [
            types.Prompt(
                name=name,
                description=name,
                arguments=[types.PromptArgument(name=word, required=True) for word in words],
            )
            for name, words in PROMPTS.items()
        ]
        return types.ListPromptsResult(prompts=[*(await list_prompts(context, params)).prompts, *theirs])

    async def any_prompt(context: Any, params: Any) -> Any:
        return prompt_of(params) if params.name in PROMPTS else await get_prompt(context, params)

    async def accept(context: Any, params: Any) -> Any:
        return types.EmptyResult()

    paged = types.PaginatedRequestParams
    for method, model, handler in (
        ("tools/list", paged, all_tools),
        ("tools/call", types.CallToolRequestParams, any_tool),
        ("resources/list", paged, all_resources),
        ("resources/templates/list", paged, all_templates),
        ("resources/read", types.ReadResourceRequestParams, any_resource),
        ("prompts/list", paged, all_prompts),
        ("prompts/get", types.GetPromptRequestParams, any_prompt),
        ("logging/setLevel", types.SetLevelRequestParams, accept),
        ("resources/subscribe", types.SubscribeRequestParams, accept),
        ("resources/unsubscribe", types.UnsubscribeRequestParams, accept),
    ):
        server.add_request_handler(method, model, handler)
    server.get_tool_input_schema = lambda name: HEADER_SCHEMA if name == HEADER_TOOL else None
