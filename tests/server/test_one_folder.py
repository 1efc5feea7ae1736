"""A new step is one folder: every part of the product that lists or calls kinds finds the kind in ``one_folder``."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from conftest import App

pytestmark = pytest.mark.anyio
FOLDER = Path(__file__).resolve().parent / "one_folder"


@pytest.fixture(scope="module")
def with_kind(app: App) -> App:
    """A home whose processes have the folder on the path of ``jobs``, and a dataset of two clips."""
    dataset = app.cwd / "datasets" / "anna"
    dataset.mkdir(parents=True)
    clip = {"audio": "a.wav", "text": "A line.", "duration_s": 3.0}
    (dataset / "train_manifest.jsonl").write_text(f"{json.dumps(clip)}\n" * 2)
    return replace(app, env=app.env | {"PYTHONPATH": f"{app.env['PYTHONPATH']}:{FOLDER / 'site'}"})


@pytest.fixture(scope="module")
def finished(with_kind: App) -> str:
    """The id of a job that the shell command ran to its end."""
    code, answer = with_kind.json("louden", "--manifest", "anna", "--gain-db", "12", "--wait")

    assert code == 0
    assert answer["state"] == "succeeded"
    assert answer["result"]["n_clips"] == 2
    return str(answer["job_id"])


def test_the_job_wrote_to_the_default_place_and_names_the_next_step(with_kind: App, finished: str) -> None:
    made = with_kind.cwd / "datasets" / "anna" / "train_loud.jsonl"

    _, answer = with_kind.json("job", finished)

    assert [json.loads(line)["gain_db"] for line in made.read_text().splitlines()] == [12, 12]
    assert answer["next"] == f'Call align manifest="{made}".'


async def test_mcp_lists_explains_and_runs_it(with_kind: App) -> None:
    async with with_kind.client() as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        steps = client.instructions or ""
        call = {"manifest": "anna", "gain_db": 3, "wait_s": 50}
        answer = (await client.call_tool("louden", call)).structured_content

    assert listed["louden"].description.startswith("Make clips louder.")
    assert listed["louden"].input_schema["properties"]["gain_db"]["maximum"] == 40
    assert steps.index("ingest_audiobook") < steps.index("3. louden -> train_loud.jsonl.") < steps.index("4. align")
    assert answer["state"] == "succeeded"


def test_the_shell_helps_with_its_flags_and_examples(with_kind: App) -> None:
    shown = with_kind.run("louden", "--help").stdout
    overview = with_kind.run("--help").stdout

    assert "--gain-db X" in shown
    assert "./run.sh louden --manifest anna --gain-db 12" in shown
    assert "Make clips louder." in overview
    assert "amplify MANIFEST DB" in overview


def test_its_original_command_is_the_same_call(with_kind: App) -> None:
    code, answer = with_kind.json("amplify", "anna", "24", "--dry-run")

    assert code == 0
    assert answer["result"]["would_run"]["gain_db"] == 24


def test_a_dry_run_estimates_and_plans(with_kind: App) -> None:
    _, answer = with_kind.json("louden", "--manifest", "anna", "--gain-db", "7", "--dry-run")

    result = answer["result"]
    assert result["plan"] == {"gain": "7 dB"}
    assert result["estimate"]["input"] == "6 s of clips"
    assert result["would_run"]["out"] == str(with_kind.cwd / "datasets" / "anna" / "train_loud.jsonl")


def test_the_pages_have_it_in_the_order_of_the_work(with_kind: App) -> None:
    script = "import json; from server.cli.docs import pages; print(json.dumps(pages()))"
    done = subprocess.run(
        [with_kind.command()[0], "-c", script], env=with_kind.env, capture_output=True, text=True, check=True
    )

    pages = json.loads(done.stdout)
    headings = [line for line in pages["references/parameters.md"].splitlines() if line.startswith("## ")]
    assert headings.index("## apply_corrections") + 1 == headings.index("## louden") == headings.index("## align") - 1
    assert "| `louden` | Make clips louder. | **`manifest`**, `gain_db`, `out`, `like` |" in pages["SKILL.md"]
    assert "./run.sh louden --manifest anna --gain-db 12" in pages["references/shell.md"]
    assert "| `amplify MANIFEST DB` | `louden` |" in pages["references/original-commands.md"]


def test_its_job_and_its_dataset_stand_for_what_it_made(with_kind: App, finished: str) -> None:
    made = str(with_kind.cwd / "datasets" / "anna" / "train_loud.jsonl")

    _, by_job = with_kind.json("align", "--manifest", finished, "--dry-run")
    _, by_name = with_kind.json("louden", "--manifest", "anna", "--like", "anna", "--out", "x.jsonl", "--dry-run")

    assert by_job["result"]["would_run"]["manifest"] == made
    assert by_name["result"]["would_run"]["like"] == made


def test_nothing_of_it_is_in_the_product() -> None:
    files = [file for layer in ("server", "tools", "jobs") for file in (PROJECT_ROOT / layer).rglob("*.py")]

    assert [str(file) for file in files if "louden" in file.read_text(encoding="utf-8")] == []
