"""Import of transformers without what it imports besides and no work here uses.

``qwen_tts`` with all that it imports took 3.5 CPU-seconds; without that, its own 25 Hz half and numba it takes 2.0.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from jobs.imports import replaced

# transformers imports them when they are installed: for images, assisted generation and losses of object detection.
_UNUSED = ("torchvision", "sklearn", "scipy")
# A class for attention masks; its package is torch's compiler, which imports sympy and triton.
_MASKS = "torch._dynamo._trace_wrapped_higher_order_op"


@contextmanager
def lean_transformers() -> Iterator[None]:
    """Keep imports of transformers within from importing what no work of ours uses.

    Those are optional packages and torch's compiler; afterwards all can be imported as before. Does nothing when
    transformers is imported already: it has seen then which packages there are.
    """
    if "transformers" in sys.modules:
        yield
        return
    with replaced(dict.fromkeys(_UNUSED)), _compiler_not_imported(), _models_listed_once():
        yield


@contextmanager
def _compiler_not_imported() -> Iterator[None]:
    """Import what transformers needs of torch's compiler without its package.

    Transformers also marks two functions for the compiler: one of its flex attention, one of whole models. Neither is
    called within what we compile.
    """
    if "torch._dynamo" in sys.modules:
        yield
        return
    _load_without_package(_MASKS, Path(torch.__file__).parent / "_dynamo" / f"{_MASKS.rpartition('.')[2]}.py")
    disable, torch.compiler.disable = torch.compiler.disable, _unmarked
    vars(torch)["_dynamo"] = SimpleNamespace(allow_in_graph=_unmarked)
    try:
        yield
    finally:
        torch.compiler.disable = disable
        del vars(torch)["_dynamo"]  # torch imports it when it is asked for


@contextmanager
def _models_listed_once() -> Iterator[None]:
    """Keep the import of ``transformers.models`` from reading 1,400 files that that of transformers has just read."""
    import transformers
    from transformers.utils import import_utils

    define, prefix = import_utils.define_import_structure, "models."
    models = Path(transformers.__file__).parent / "models"

    def define_once(path: str | Path, *args: Any, **settings: Any) -> Any:
        if Path(path) != models / "__init__.py" or args or settings:
            return define(path, *args, **settings)
        found = define(models, prefix="models")  # it remembers
        return {
            needs: {name.removeprefix(prefix): classes for name, classes in names.items() if name.startswith(prefix)}
            for needs, names in found.items()
        }

    import_utils.define_import_structure = define_once
    try:
        yield
    finally:
        import_utils.define_import_structure = define


def _load_without_package(name: str, file: Path) -> None:
    """Load a module under its own name; when its package is imported later, that finds it loaded."""
    if name in sys.modules or not file.is_file():
        return
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _unmarked(function: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Stand-in for marks of functions, also as a decorator with arguments."""
    return _unmarked if function is None else function
