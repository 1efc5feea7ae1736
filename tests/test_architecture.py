"""Structure of the product, read from its source: directions of imports, circles, sizes of folders and modules.

server -> tools -> jobs; one kind of work never imports another; each heavy library belongs to one package.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from jobs.runner.job_kind import all_kinds
from jobs.settings import PROJECT_ROOT, Settings

LAYERS = ("server", "tools", "jobs")
KINDS = frozenset(file.parent.name for file in (PROJECT_ROOT / "jobs").glob("*/spec.py"))
DIRECTORS = frozenset({"tune_hparams", "refine_voice"})
HEAVY = frozenset(
    {"numpy", "torch", "torchaudio", "transformers", "scipy", "qwen_tts", "whisperx", "faster_whisper", "peft",
     "bitsandbytes", "av", "soxr", "soundfile", "librosa", "onnxruntime", "pocketsphinx", "parselmouth", "matplotlib",
     "ctranslate2", "speechmos", "safetensors"}
)  # fmt: skip
OWNERS = {"qwen_tts": "jobs/qwen", "whisperx": "jobs/asr", "faster_whisper": "jobs/asr", "soxr": "jobs/audio"}
# Packages of jobs that import only these others, beside ``BASE`` and the modules of jobs itself.
BASE = frozenset({"files", "trust"})
MAY_IMPORT = {
    "files": {"files"},
    "trust": {"trust"},
    "runner": {"runner"},
    "audio": {"audio"},
    "text": {"text"},
    "model_folders": {"model_folders"},
    "asr": {"asr", "audio", "text", "model_folders"},
    "speaker": {"speaker", "audio", "model_folders"},
    "books": {"books", "text"},
    "rating": {"rating", "audio", "speaker", "dataset", "asr", "text"},
    "environments": {"environments"},
    "http": {"http"},
    "reports": {"reports"},
    "plotting": {"plotting", "runner"},
}
# Imported by processes without the ml environment; and so is all that these import.
LIGHT_PACKAGES = ("runner", "environments", "http", "web_research_hparams")
LIGHT_NAMES = ("spec.py", "params.py", "dry_run.py")
LIGHT_FOLDERS = ("planning",)
# Run by a bare Python (``python -S``): the standard library only, and so all that these import.
BARE = ("jobs/runner/supervisor/__main__.py", "jobs/runner/shim/__main__.py")
MOST_MODULES, MOST_LINES = 14, 300
# Folders beside the product whose sizes are limited as well.
ALSO_SMALL = ("bench", "tests/support")
# Modules that may be longer, with the reason.
LONG_MODULES: dict[str, str] = {}


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

    @property
    def target(self) -> str | None:
        """File of the longest leading part of the name that is a module of ours."""
        parts = self.name.split(".")
        for length in range(len(parts), 0, -1):
            base = PROJECT_ROOT.joinpath(*parts[:length])
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                if file.is_file():
                    return file.relative_to(PROJECT_ROOT).as_posix()
        return None

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}" + (f" ({self.target})" if self.target else "")


def imports_of(source: str, file: str) -> Iterator[Import]:
    """Every import of a source but those for type checkers, also within functions, in full."""
    package = Path(file).parent.parts
    nodes = [ast.parse(source, file)]
    while nodes:
        node: ast.AST = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(file, node.lineno, f"{base}.{alias.name}")


def source_files(folders: Collection[str] = LAYERS) -> list[str]:
    """Every Python file of some folders, else of the product."""
    files = [file for folder in folders for file in sorted((PROJECT_ROOT / folder).rglob("*.py"))]
    return [file.relative_to(PROJECT_ROOT).as_posix() for file in files]


def read(file: str) -> str:
    """The source of a file."""
    return (PROJECT_ROOT / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """All imports of the product's source."""
    return [found for file in source_files() for found in imports_of(read(file), file)]


@pytest.fixture(scope="module")
def graph(imports: list[Import]) -> Mapping[str, set[str]]:
    """The modules that each module imports."""
    edges: dict[str, set[str]] = {file: set() for file in source_files()}
    for found in imports:
        if found.target is not None and found.target != found.file and found.target in edges:
            edges[found.file].add(found.target)
    return edges


def reached(roots: Collection[str], graph: Mapping[str, set[str]]) -> set[str]:
    """The modules that some modules import, directly or not, with the packages that they are in, and themselves."""
    seen, waiting = set(), list(roots)
    while waiting:
        file = waiting.pop()
        if file not in seen and file in graph:
            seen.add(file)
            folders = Path(file).parents
            waiting += [*graph[file], *((folder / "__init__.py").as_posix() for folder in folders)]
    return seen


def circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Circles of a graph, until an edge of each is taken away."""
    left = {node: set(targets) for node, targets in graph.items()}
    found = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = error.args[1]  # each is imported by the next
            found.append(" <- ".join(circle))
            left[circle[1]].discard(circle[0])
        else:
            return found


def against_the_layers(found: Import) -> bool:
    """server -> tools -> jobs."""
    layer = found.file.split("/")[0]
    return found.package in LAYERS and found.package not in LAYERS[LAYERS.index(layer) :]


def between_kinds(found: Import) -> bool:
    """A kind may import itself and what is no kind; all else of jobs imports no kind.

    A director starts other kinds of work: it knows their parameters and declarations, never how they work.
    """
    path, name = found.file.split("/"), found.name.split(".")
    if path[0] != "jobs" or name[0] != "jobs" or len(name) < 2:
        return False
    if path[1] in DIRECTORS and name[2:3] in (["spec"], ["params"]):
        return False
    return name[1] in KINDS and name[1] != path[1]


def from_a_low_package_upwards(found: Import) -> bool:
    """The runner imports no other package of jobs; audio knows neither models nor the runner."""
    path, name = found.file.split("/"), found.name.split(".")
    if path[0] != "jobs" or name[0] != "jobs" or len(path) < 3 or len(name) < 2:
        return False
    is_package = (PROJECT_ROOT / "jobs" / name[1]).is_dir()
    return is_package and path[1] in MAY_IMPORT and name[1] not in BASE | MAY_IMPORT[path[1]]


def is_light(file: str) -> bool:
    """Whether a file is imported by processes without the ml environment, by its folder and name."""
    path = file.split("/")
    return (
        path[0] != "jobs"
        or len(path) == 2
        or path[1] in LIGHT_PACKAGES
        or path[-1] in LIGHT_NAMES
        or any(folder in LIGHT_FOLDERS for folder in path[:-1])
    )


def heavy_in_a_light_module(found: Import) -> bool:
    """Light: server, tools, runner, every spec, params and dry run."""
    return is_light(found.file) and found.package in HEAVY


def outside_its_package(found: Import) -> bool:
    """A library with an owner is imported in the owner's package only."""
    owner = OWNERS.get(found.package)
    return owner is not None and not found.file.startswith(owner + "/")


RULES = [against_the_layers, between_kinds, from_a_low_package_upwards, heavy_in_a_light_module, outside_its_package]


@pytest.mark.parametrize("breaks", RULES, ids=lambda rule: rule.__name__)
def test_no_import_goes(imports: list[Import], breaks: object) -> None:
    assert callable(breaks)
    assert [str(found) for found in imports if breaks(found)] == []


def test_what_light_modules_import_is_light_too(imports: list[Import], graph: Mapping[str, set[str]]) -> None:
    light = reached([file for file in graph if is_light(file)], graph)

    assert [str(found) for found in imports if found.file in light and found.package in HEAVY] == []


def test_mcp_is_imported_in_the_server_only(imports: list[Import]) -> None:
    users = {found.file for found in imports if found.package == "mcp"}

    assert {file for file in users if not file.startswith("server/")} == set()


def test_the_supervisor_and_the_shim_need_the_standard_library_only(
    imports: list[Import], graph: Mapping[str, set[str]]
) -> None:
    files = reached(BARE, graph)

    foreign = [found for found in imports if found.file in files and found.package not in sys.stdlib_module_names]

    assert {file.split("/")[-2] for file in files} >= {"supervisor", "shim", "store"}
    assert [str(found) for found in foreign if found.package != "jobs"] == []
    assert "jobs/runner/job_kind.py" not in files


def test_only_the_settings_read_the_environment() -> None:
    names = ("os.environ", "os.getenv")
    readers = [
        f"{file}:{node.lineno}"
        for file in source_files()
        for node in ast.walk(ast.parse(read(file)))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in names
    ]

    assert [reader for reader in readers if not reader.startswith("jobs/settings.py:")] == []


WRITES = {
    "shutil": {"rmtree", "copyfile", "copy", "copy2", "copytree", "move"},
    "os": {"remove", "unlink", "rename", "replace", "link", "symlink", "mkdir", "makedirs", "rmdir"},
    "tempfile": {"mkstemp", "mkdtemp", "TemporaryDirectory", "NamedTemporaryFile"},
}
PATH_WRITES = {"write_text", "write_bytes", "mkdir", "unlink", "rmdir", "rename", "symlink_to", "hardlink_to", "touch"}
# Modules that write, rename or delete by themselves, with the reason; all others leave it to ``jobs.files``.
WRITERS = {
    "jobs/files/": "the module for it",
    "jobs/installation.py": "links to its own code, in a folder that only their owner can write",
    "jobs/trust/": "makes the home, for its user alone",
    "jobs/runner/": "the home's own files, in folders that only their owner can write",
    "jobs/qwen/toy/": "fills a new folder of the home",
    "jobs/asr/pocketsphinx_asr.py": "a temporary folder for a library that reads by name",
    "jobs/dataset/exchange/exporters.py": "fills the new folder of replacing_folder",
    "jobs/training/run/checkpoint.py": "fills the new folder of replacing_folder",
    "jobs/model_folders/contents.py": "a temporary folder for libraries that load all of a folder",
    "server/dashboards/": "a temporary folder",
    "server/cli/docs.py": "the pages of this repository",
    "server/web/vendored.py": "a temporary folder",
    "server/skill/": "files in a client's folders, by receipt and backup",
    "jobs/http/": "keys, made with O_EXCL, and sockets, in folders that their owner alone can enter",
    "tools/core/errors.py": "the log in the home",
}


def writes(node: ast.AST) -> bool:
    """Whether a call writes, renames or deletes by a path, following links."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    name, owner = node.func.attr, node.func.value
    if isinstance(owner, ast.Name) and owner.id in WRITES:
        return name in WRITES[owner.id]
    mode = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
    return name in PATH_WRITES or (name == "open" and isinstance(mode, str) and bool(set("wax+") & set(mode)))


def test_files_are_written_where_links_are_not_followed() -> None:
    found = [
        f"{file}:{node.lineno}"
        for file in source_files()
        if not file.startswith(tuple(WRITERS))
        for node in ast.walk(ast.parse(read(file)))
        if writes(node)
    ]

    assert found == []


def test_no_modules_import_each_other_in_a_circle(graph: Mapping[str, set[str]]) -> None:
    assert circles(graph) == []


def test_no_sibling_packages_import_each_other_in_a_circle(graph: Mapping[str, set[str]]) -> None:
    siblings: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file, targets in graph.items():
        for target in targets:
            path, other = Path(file).parent.parts, Path(target).parent.parts
            common = sum(1 for _ in _common(path, other))
            if common < min(len(path), len(other)):
                parent = "/".join(path[:common])
                siblings[parent][path[common]].add(other[common])

    assert {parent: found for parent, edges in siblings.items() if (found := circles(edges))} == {}


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> Iterator[str]:
    for left, right in zip(one, other, strict=False):
        if left != right:
            return
        yield left


def test_no_folder_has_too_many_modules() -> None:
    counts: dict[str, int] = defaultdict(int)
    for file in source_files([*LAYERS, *ALSO_SMALL]):
        folder, _, name = file.rpartition("/")
        counts[folder] += name != "__init__.py"

    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_no_module_is_too_long_without_a_reason() -> None:
    files = source_files([*LAYERS, *ALSO_SMALL])
    long = {file: lines for file in files if (lines := len(read(file).splitlines())) > MOST_LINES}

    assert {file: lines for file, lines in long.items() if file not in LONG_MODULES} == {}
    assert [file for file in LONG_MODULES if file not in long] == []


@pytest.mark.parametrize(
    ("file", "source", "breaks"),
    [
        ("tools/align.py", "from server.mcp import server", against_the_layers),
        ("jobs/runner/client/runner.py", "import tools.core.tool_types", against_the_layers),
        ("jobs/align/work.py", "from jobs.training.params import Params", between_kinds),
        ("jobs/text/english_normalization.py", "from jobs import align", between_kinds),
        ("jobs/align/work.py", "from ..training import spec", between_kinds),
        ("jobs/runner/worker/worker.py", "def f():\n    from jobs.audio import clip_io", from_a_low_package_upwards),
        ("jobs/align/params.py", "import numpy as np", heavy_in_a_light_module),
        ("server/main.py", "def f():\n    import torch.nn", heavy_in_a_light_module),
        ("jobs/training/work.py", "import qwen_tts", outside_its_package),
    ],
)
def test_each_rule_sees_a_breach(file: str, source: str, breaks: object) -> None:
    assert callable(breaks)
    assert any(breaks(found) for found in imports_of(source, file))


def test_imports_for_type_checkers_do_not_count() -> None:
    source = "if TYPE_CHECKING:\n    import torch\nelse:\n    import json\n"

    assert [found.name for found in imports_of(source, "jobs/errors.py")] == ["json"]


def test_every_circle_is_found() -> None:
    assert len(circles({"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}})) == 2
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_a_breach_names_both_files() -> None:
    found = next(imports_of("from server.mcp.server import serve", "jobs/runner/client/runner.py"))

    assert str(found) == "jobs/runner/client/runner.py:1 imports server.mcp.server.serve (server/mcp/server.py)"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_spec_holds_a_kind_that_the_worker_finds_again(name: str) -> None:
    kind = all_kinds()[name]

    assert kind.module == f"jobs.{name}.spec"
    assert kind.params.__module__ == kind.result.__module__ == f"jobs.{name}.params"
    for output in kind.outputs:
        assert output.result in kind.result.model_fields
        assert not output.parameter or output.parameter in kind.params.model_fields
    for entry in filter(None, (kind.entry, kind.plan, kind.suggest, kind.tool.complete if kind.tool else "")):
        module, function = entry.split(":")
        assert module.startswith(f"jobs.{name}.")
        tree = ast.parse(read(f"{module.replace('.', '/')}.py"))
        assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], entry


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
    modules = {file.stem for file in (PROJECT_ROOT / "tools").glob("[!_]*.py")} - {"start_tools"}
    assert set(names) == modules | {kind.tool_name for kind in all_kinds().values()}
