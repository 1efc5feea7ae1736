"""The arrows between the rooms: read from the source, and once from a process that loads all tools.

server -> tools -> jobs; one kind of work never imports another; heavy libraries have one room each.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.settings import PROJECT_ROOT, Settings

ROOMS = ("server", "tools", "jobs")
KINDS = frozenset(file.parent.name for file in (PROJECT_ROOT / "jobs").glob("*/spec.py"))
DIRECTORS = frozenset({"tune_hparams", "refine_voice"})
SHARED_ROOMS = frozenset(
    {"runner", "audio", "text", "asr", "speaker", "rating", "dataset", "qwen", "environments", "plotting"}
)
SHARED_MODULES = frozenset({"codec_format", "config", "durations", "errors", "param_types", "atomic_io", "settings"})
HEAVY = frozenset(
    {"numpy", "torch", "torchaudio", "transformers", "scipy", "qwen_tts", "whisperx", "faster_whisper", "peft",
     "bitsandbytes", "av", "soxr", "soundfile", "librosa", "onnxruntime", "pocketsphinx", "parselmouth", "matplotlib",
     "ctranslate2", "speechmos", "safetensors"}
)  # fmt: skip
LIGHT_MODULES = frozenset(
    {"jobs/dataset/quality/thresholds.py", "jobs/dataset/manifest.py", "jobs/dataset/manifest_stats.py"}
    | {"jobs/dataset/takes.py", "jobs/rating/ratings_file.py"}
    | {"jobs/plotting/render_client.py", "jobs/rating/human_ratings.py"}
    | {"jobs/qwen/model_files.py", "jobs/qwen/model_info.py"}
    | {f"jobs/{kind}/dry_run.py" for kind in ("align", "convert_codes", "ingest_audiobook")}
    | {f"jobs/asr/{name}.py" for name in ("languages", "hallucination_filter", "model_registry")}
    | {path.relative_to(PROJECT_ROOT).as_posix() for path in (PROJECT_ROOT / "jobs/training/planning").glob("*.py")}
    | {"jobs/training/data/batch_sampler.py", "jobs/training/data/manifest_scan.py"}
    | {"jobs/tune_hparams/search_space.py"}
)
OWNERS = {"qwen_tts": "jobs/qwen", "whisperx": "jobs/asr", "faster_whisper": "jobs/asr"}
STDLIB_ONLY = (
    "config",
    "errors",
    "atomic_io",
    "runner/__init__",
    "runner/attempt/__init__",
    "runner/attempt/claim",
    "runner/attempt/exit_record",
    "runner/attempt/outcome",
    "runner/attempt/spec",
    "runner/backend",
    "runner/machine/__init__",
    "runner/machine/locks",
    "runner/machine/nvidia_smi",
    "runner/machine/preflight",
    "runner/machine/processes",
    "runner/paths",
    "runner/provenance",
    "runner/shim/__init__",
    "runner/shim/__main__",
    "runner/shim/log_rotation",
    "runner/shim/shim",
    "runner/shim/torchrun",
    "runner/shim/watchdog",
    "runner/slurm/__init__",
    "runner/slurm/backend",
    "runner/slurm/path_mapping",
    "runner/slurm/sbatch",
    "runner/slurm/slurm_cli",
    "runner/slurm/squeue_cache",
    "runner/slurm/squeue_parser",
    "runner/slurm/state_resolver",
    "runner/store/__init__",
    "runner/store/schema",
    "runner/store/store",
    "runner/supervisor/__init__",
    "runner/supervisor/__main__",
    "runner/supervisor/code_reload",
    "runner/supervisor/local_executor",
    "runner/supervisor/loop",
    "runner/supervisor/remote_executor",
    "runner/supervisor/retries",
    "runner/supervisor/scheduler",
    "runner/supervisor_launcher",
    "settings",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import: the file and line it stands in, and the full name of what it names."""

    file: str
    line: int
    name: str

    @property
    def package(self) -> str:
        """First part of the name."""
        return self.name.split(".")[0]

    def __str__(self) -> str:
        target = _file_of(self.name)
        return f"{self.file}:{self.line} imports {self.name}" + (f" ({target})" if target else "")


def _file_of(name: str) -> str | None:
    """File of the longest leading part of a name that is a module of ours."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base = PROJECT_ROOT.joinpath(*parts[:length])
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return file.relative_to(PROJECT_ROOT).as_posix()
    return None


def imports_of(source: str, file: str) -> Iterator[Import]:
    """Every import of a source, also those within functions; relative ones and ``from x import y`` in full."""
    package = Path(file).parent.parts
    for node in ast.walk(ast.parse(source, file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(file, node.lineno, f"{base}.{alias.name}")


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """All imports of the product's source."""
    files = [file for room in ROOMS for file in sorted((PROJECT_ROOT / room).rglob("*.py"))]
    return [
        found
        for file in files
        for found in imports_of(file.read_text(encoding="utf-8"), file.relative_to(PROJECT_ROOT).as_posix())
    ]


def against_the_arrows(found: Import) -> bool:
    """server -> tools -> jobs, and the doors reach only the light rooms of jobs."""
    room = found.file.split("/")[0]
    allowed = ROOMS[ROOMS.index(room) :]
    return found.package in ROOMS and found.package not in allowed


def between_kinds(found: Import) -> bool:
    """A kind may import the shared rooms and itself; a shared room imports no kind at all.

    A director starts other kinds of work and knows what they take and give, never how they do it.
    """
    path, name = found.file.split("/"), found.name.split(".")
    if path[0] != "jobs" or name[0] != "jobs" or len(name) < 2:
        return False
    if path[1] in DIRECTORS and name[2:3] in (["spec"], ["params"]):
        return False
    return name[1] in KINDS and name[1] != path[1]


def from_a_low_room_upwards(found: Import) -> bool:
    """The runner knows no other room of jobs; speech knows neither models nor the runner's processes."""
    path, name = found.file.split("/"), found.name.split(".")
    if path[0] != "jobs" or name[0] != "jobs" or len(path) < 3 or len(name) < 2 or name[1] in SHARED_MODULES:
        return False
    may = {
        "runner": {"runner"},
        "audio": {"audio"},
        "text": {"text"},
        "asr": {"asr", "audio", "text", "dataset"},
        "speaker": {"speaker", "audio"},
        "rating": {"rating", "audio", "speaker", "dataset"},
        "environments": {"environments"},
        "plotting": {"plotting", "runner"},
    }
    return path[1] in may and name[1] not in may[path[1]]


def heavy_in_a_light_module(found: Import) -> bool:
    """Light: server, tools, runner, environments, every spec and what it checks with, the modules beside the rooms."""
    path = found.file.split("/")
    light_rooms = ("runner", "environments", "web_research_hparams")
    is_light = (
        path[0] != "jobs"
        or len(path) == 2
        or path[1] in light_rooms
        or path[-1] in ("spec.py", "params.py")
        or found.file in LIGHT_MODULES
    )
    return is_light and found.package in HEAVY


def outside_its_room(found: Import) -> bool:
    """A library with an owner is imported in the owner's room only."""
    owner = OWNERS.get(found.package)
    return owner is not None and not found.file.startswith(owner + "/")


RULES = [against_the_arrows, between_kinds, from_a_low_room_upwards, heavy_in_a_light_module, outside_its_room]


@pytest.mark.parametrize("breaks", RULES, ids=lambda rule: rule.__name__)
def test_no_import_goes(imports: list[Import], breaks: object) -> None:
    assert callable(breaks)
    assert [str(found) for found in imports if breaks(found)] == []


def test_mcp_is_imported_in_the_server_room_only(imports: list[Import]) -> None:
    users = {found.file for found in imports if found.package == "mcp"}

    assert {file for file in users if not file.startswith("server/")} == set()


def test_the_supervisor_and_the_shim_need_the_standard_library_only(imports: list[Import]) -> None:
    files = {f"jobs/{name}.py" for name in STDLIB_ONLY}

    foreign = [
        str(found)
        for found in imports
        if found.file in files
        and found.package not in sys.stdlib_module_names
        and (found.package != "jobs" or _file_of(found.name) not in files)
    ]

    assert foreign == []


def test_only_the_settings_read_the_environment(imports: list[Import]) -> None:
    names = ("os.environ", "os.getenv")
    readers = []
    for file in sorted({found.file for found in imports}):
        for node in ast.walk(ast.parse((PROJECT_ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in names:
                readers.append(f"{file}:{node.lineno}")

    assert [reader for reader in readers if not reader.startswith("jobs/settings.py:")] == []


@pytest.mark.parametrize(
    ("file", "source", "breaks"),
    [
        ("tools/align.py", "from server.mcp import server", against_the_arrows),
        ("jobs/runner/client/runner.py", "import tools.core.tool_types", against_the_arrows),
        ("jobs/align/work.py", "from jobs.training.params import Params", between_kinds),
        ("jobs/text/english_normalization.py", "from jobs import align", between_kinds),
        ("jobs/align/work.py", "from ..training import spec", between_kinds),
        ("jobs/runner/worker/worker.py", "def f():\n    from jobs.audio import clip_io", from_a_low_room_upwards),
        ("jobs/align/params.py", "import numpy as np", heavy_in_a_light_module),
        ("server/main.py", "def f():\n    import torch.nn", heavy_in_a_light_module),
        ("jobs/training/work.py", "import qwen_tts", outside_its_room),
    ],
)
def test_each_rule_sees_a_breach(file: str, source: str, breaks: object) -> None:
    assert callable(breaks)
    assert any(breaks(found) for found in imports_of(source, file))


def test_a_breach_names_both_files() -> None:
    found = next(imports_of("from server.mcp.server import serve", "jobs/runner/client/runner.py"))

    assert str(found) == "jobs/runner/client/runner.py:1 imports server.mcp.server.serve (server/mcp/server.py)"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_spec_holds_a_kind_that_the_worker_finds_again(name: str) -> None:
    spec = importlib.import_module(f"jobs.{name}.spec")

    assert spec.KIND.name == name
    assert spec.KIND.params.__module__ == spec.KIND.result.__module__ == f"jobs.{name}.params"
    module, function = spec.KIND.entry.split(":")
    assert module.startswith(f"jobs.{name}.")
    source = PROJECT_ROOT / f"{module.replace('.', '/')}.py"
    defined = [node.name for node in ast.parse(source.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert function in defined


def test_a_process_with_the_server_and_all_tools_has_loaded_nothing_heavy() -> None:
    server = Settings.from_environment({}).python("server")
    python = server if server.exists() else Path(sys.executable)
    script = (
        "import json, sys\n"
        "import server.mcp.server, tools.core.registry\n"
        "names = sorted(tools.core.registry.all_tools())\n"
        f"print(json.dumps([names, sorted(set(sys.modules) & {set(HEAVY)!r})]))\n"
    )

    done = subprocess.run(
        [python, "-c", script],
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    names, loaded = json.loads(done.stdout)
    assert loaded == []
    public = {file.stem for file in (PROJECT_ROOT / "tools").glob("[!_]*.py")}
    assert set(names) == public
