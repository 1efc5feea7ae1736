"""Selection of the fast tests: files that import no heavy library, read from the source without importing anything."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = frozenset(
    {"torch", "torchaudio", "transformers", "qwen_tts", "whisperx", "faster_whisper", "ctranslate2", "peft"}
    | {"bitsandbytes", "accelerate", "optuna", "sklearn", "librosa", "datasets", "lhotse"}
)

# Folders and files whose tests start jobs, servers or other processes, or take seconds.
SLOW = (
    "tests/chaos",
    "tests/drill",
    "tests/jobs/align/test_work.py",
    "tests/jobs/ingest_clips/test_work.py",
    "tests/jobs/plotting/test_plot.py",
    "tests/jobs/refine_voice/test_kills.py",
    "tests/jobs/refine_voice/test_work.py",
    "tests/jobs/runner/client",
    "tests/jobs/runner/shim",
    "tests/jobs/runner/schedules",
    "tests/jobs/runner/slurm/test_real_slurm.py",
    "tests/jobs/runner/supervisor/test___main__.py",
    "tests/jobs/runner/test_adversity.py",
    "tests/jobs/runner/test_clock.py",
    "tests/jobs/runner/test_dependencies.py",
    "tests/jobs/runner/test_moved_home.py",
    "tests/jobs/runner/test_old_home.py",
    "tests/jobs/runner/test_out_of_memory.py",
    "tests/jobs/runner/test_updates.py",
    "tests/jobs/runner/worker",
    "tests/jobs/test_codec_format.py",
    "tests/server/cli/test_main.py",
    "tests/server/cli/test_plot.py",
    "tests/server/listening",
    "tests/server/mcp",
    "tests/server/skill/test_command.py",
    "tests/server/test_mcp_legs.py",
    "tests/server/test_one_folder.py",
    "tests/server/test_refine_voice.py",
    "tests/server/test_strangers.py",
    "tests/server/web/test_browser.py",
    "tests/server/web/test_whole_way.py",
    "tests/tools/test_apply_corrections.py",
    "tests/test_demo.py",
    "tests/test_packaging.py",
    "tests/test_readme.py",
    "tests/test_run_sh.py",
    "tests/test_survival.py",
    "tests/tools/test_fuzz.py",
)


@cache
def is_fast(test_file: Path) -> bool:
    """Return whether the tests of a file need neither torch nor jobs."""
    name = test_file.relative_to(ROOT).as_posix()
    is_slow = any(name == place or name.startswith(f"{place}/") for place in SLOW)
    return not is_slow and not needs_heavy_library(test_file)


def needs_heavy_library(test_file: Path) -> bool:
    """Return whether a test file, a ``conftest.py`` above it or a module that they import loads a heavy library."""
    conftests = [folder / "conftest.py" for folder in test_file.parents if folder.is_relative_to(ROOT / "tests")]
    return any(_loads_heavy(path) for path in (test_file, *conftests) if path.is_file())


@cache
def _loads_heavy(path: Path) -> bool:
    """Search the imports at module level, and those of the project's modules that they name."""
    seen, pending = {path}, [path]
    while pending:
        is_heavy, files = _imports(pending.pop())
        if is_heavy:
            return True
        new = files - seen
        seen |= new
        pending += new
    return False


@cache
def _imports(path: Path) -> tuple[bool, frozenset[Path]]:
    """Return whether a file itself imports a heavy library, and the files of the project that it imports."""
    names = _imported_names(path)
    is_heavy = any(name.split(".")[0] in HEAVY for name in names)
    return is_heavy, frozenset(file for name in names if (file := _file_of(name)))


def _imported_names(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    pending: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif isinstance(node, ast.If | ast.Try | ast.With):
            pending += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return tuple(names)


@cache
def _file_of(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] not in ("jobs", "tools", "server", "tests", "bench"):
        return None
    for length in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:length])
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return file
    return None
