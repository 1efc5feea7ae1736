"""SKILL.md is valid by the Agent Skills format and names every tool that exists, and none that does not."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.runner.provenance import project_version
from tools.core.registry import all_tools

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")
TRIGGERS = [
    "tts train", "train voice model", "voice cloning", "voice model training", "tts dataset", "build tts dataset",
    "align transcripts", "qwen3 tts training", "qwen tts training", "tts fine tune",
]  # fmt: skip


def front_matter() -> dict[str, Any]:
    text = (ROOT / "SKILL.md").read_text(encoding="utf-8")
    block = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert block is not None
    return dict(yaml.safe_load(block[1]))


def test_the_front_matter_is_valid() -> None:
    fields = front_matter()

    assert set(fields) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert fields["name"] == "tts-train"
    assert 1 <= len(fields["description"]) <= 1024
    assert len(fields["compatibility"]) <= 500
    assert all(isinstance(value, str) for value in fields["metadata"].values())


def test_the_version_is_that_of_the_project() -> None:
    assert front_matter()["metadata"]["version"] == project_version()


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_the_description_keeps_the_original_trigger(trigger: str) -> None:
    assert trigger in front_matter()["description"]


def test_the_name_is_one_that_the_format_allows() -> None:
    assert re.fullmatch(r"(?!-)(?!.*--)[a-z0-9-]{1,64}(?<!-)", front_matter()["name"])


def test_the_body_is_short_enough_to_be_read_at_once() -> None:
    text = (ROOT / "SKILL.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) < 500
    assert len(text) / 4 < 5000  # tokens, by the usual rule


def test_references_are_one_level_deep_and_every_link_leads_somewhere() -> None:
    pages = [ROOT / "SKILL.md", *sorted((ROOT / "references").iterdir())]
    links = {(page, link) for page in pages for link in LINK.findall(page.read_text(encoding="utf-8"))}
    from_skill = {link for page, link in links if page.name == "SKILL.md"}

    assert all(page.suffix == ".md" and page.is_file() for page in pages)
    assert [link for page, link in links if not (page.parent / link).is_file()] == []
    assert {f"references/{page.name}" for page in pages[1:]} <= from_skill
    assert all(len(Path(link).parts) <= 2 for link in from_skill)


def test_every_tool_is_named() -> None:
    text = (ROOT / "SKILL.md").read_text(encoding="utf-8")

    assert [name for name in all_tools() if f"`{name}`" not in text] == []
