"""Resources hold no secret and nothing that deceives a terminal, as answers of tools do."""

from __future__ import annotations

from server.mcp.resources import Resource


def test_text_of_a_resource_is_as_that_of_an_answer() -> None:
    found = Resource("login with hf_abcdefghijklmnopqrstuvwxyz\n\x1b[2J", "text/plain")

    assert found.shown() == "login with [redacted]\n\\u001b[2J"
    assert found.is_untrusted
    assert Resource(b"\x89PNG", "image/png").shown() == b"\x89PNG"
