"""Loading of transformers models whose weights were compared with their configuration before memory is allocated.

transformers fills weights that a file lacks with random numbers. It builds a model without memory first; the classes
made here compare it with the headers at that moment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.model_folders.contents import ModelFolder, broken, check_sizes, staged
from jobs.model_folders.safetensors_header import INDEX, WEIGHTS, TensorInfo, check_tensors, read_weights
from jobs.model_folders.torch_archive import load_archive

PICKLED_WEIGHTS = "pytorch_model.bin"
# Names of older checkpoints, which transformers changes in the same way.
RENAMED = {
    ".conv.weight_g": ".conv.parametrizations.weight.original0",
    ".conv.weight_v": ".conv.parametrizations.weight.original1",
}
DTYPES = {"torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16"}


def load_checked(model_class: Any, folder: ModelFolder, *, unused: tuple[str, ...]) -> Any:
    """Load a model from ``config.json`` and safetensors, or weights of ``torch.save``, on the CPU.

    Args:
        model_class: class of transformers with a head.
        unused: ends of names of weights that may be missing, because nothing that is used depends on them.

    Raises:
        UserError: ``model_broken``, ``model_without_weights``, ``path_outside_model``, ``file_not_regular``.
    """
    config, where = folder.read("config.json"), folder.path
    check_sizes(config, where / "config.json")
    expected = model_class.config_class.model_type
    if config.get("model_type") != expected:
        raise broken(where, f"is a {config.get('model_type')!r:.100} model, not {expected!r}")
    pickled = None if folder.find(WEIGHTS) or folder.find(INDEX) else folder.find(PICKLED_WEIGHTS)
    files: Mapping[str, Path | dict[str, Any]] = {}
    state = None
    if pickled is None:
        weights = read_weights(folder)
        files, found = weights.to_stage(), weights.tensors
    else:
        found = _describe(_load_pickled(pickled, "meta"))
        state = _load_pickled(pickled, "cpu")  # transformers would read the file by torch's own reader
    found = {_present_name(name): tensor for name, tensor in found.items()}
    with staged({"config.json": config, **files}) as known, loading_explained(where):
        model = checked_class(model_class, found, where, unused=unused).from_pretrained(
            None if pickled else str(known),
            config=model_class.config_class.from_pretrained(str(known)),
            local_files_only=True,
            state_dict=state,
            use_safetensors=True,
        )
    model.__class__ = model_class
    return model


def checked_class(
    model_class: Any, found: Mapping[str, TensorInfo], where: Path, *, unused: tuple[str, ...] = ()
) -> Any:
    """Return a class whose instances have been compared with the tensors of their files.

    Its construction raises ``UserError``: ``model_broken``. Give a loaded instance its own class back.
    """

    def build(self: Any, config: Any, *args: Any, **options: Any) -> None:
        with loading_explained(where):
            model_class.__init__(self, config, *args, **options)
        expected = {name: tuple(tensor.shape) for name, tensor in self.state_dict().items()}
        needed = {name: shape for name, shape in expected.items() if name in found or not name.endswith(unused)}
        check_tensors(needed, found, where)

    return type(model_class.__name__, (model_class,), {"__init__": build, "__module__": model_class.__module__})


@contextmanager
def loading_explained(where: Path) -> Iterator[None]:
    """Translate what libraries raise on files that they cannot use; errors of this machine pass.

    Raises:
        UserError: ``model_broken``.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except BaseException as error:
        torch = sys.modules.get("torch")  # CTranslate2 needs none: 3 s and some hundred MB
        if torch is not None and isinstance(error, torch.OutOfMemoryError | torch.AcceleratorError):
            raise
        is_panic = type(error).__name__ == "PanicException"  # of tokenizers, no Exception
        is_machine = isinstance(error, OSError) and error.errno is not None
        if is_machine or not (is_panic or isinstance(error, Exception)):
            raise
        raise broken(where, f"does not load: {type(error).__name__}: {str(error)[:500]}") from error


def _load_pickled(path: Path, device: str) -> dict[str, Any]:
    """Load the tensors of a file of ``torch.save``."""
    try:
        found = load_archive(path, device=device)
    except ValueError as error:
        raise broken(path, f"does not load: {error}") from error
    if not isinstance(found, dict):
        raise broken(path, "holds no weights")
    return {str(name): tensor for name, tensor in found.items() if hasattr(tensor, "dtype")}


def _describe(tensors: Mapping[str, Any]) -> dict[str, TensorInfo]:
    """Return number formats and shapes."""
    return {name: TensorInfo(DTYPES.get(str(each.dtype), ""), tuple(each.shape)) for name, each in tensors.items()}


def _present_name(name: str) -> str:
    return next((name.removesuffix(old) + new for old, new in RENAMED.items() if name.endswith(old)), name)
