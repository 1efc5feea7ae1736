"""Loading of transformers models whose weights were compared with their configuration before memory is allocated.

transformers fills weights that a file lacks with random numbers. It builds a model without memory first; the classes
made here compare it with the headers at that moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.model_folders.contents import broken
from jobs.model_folders.safetensors_header import TensorInfo, check_tensors


def checked_class(model_class: Any, found: Mapping[str, TensorInfo], where: Path) -> Any:
    """Return a class whose instances have been compared with the tensors of their files.

    Its construction raises ``UserError``: ``model_broken``. Give a loaded instance its own class back.
    """

    def build(self: Any, config: Any, *args: Any, **options: Any) -> None:
        with loading_explained(where):
            model_class.__init__(self, config, *args, **options)
        check_tensors({name: tuple(tensor.shape) for name, tensor in self.state_dict().items()}, found, where)

    return type(model_class.__name__, (model_class,), {"__init__": build, "__module__": model_class.__module__})


@contextmanager
def loading_explained(where: Path) -> Iterator[None]:
    """Translate what libraries raise on files that they cannot use; errors of this machine pass.

    Raises:
        UserError: ``model_broken``.
    """
    import torch

    try:
        yield
    except (UserError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"  # of tokenizers, no Exception
        is_machine = isinstance(error, OSError) and error.errno is not None
        if is_machine or not (is_panic or isinstance(error, Exception)):
            raise
        raise broken(where, f"does not load: {type(error).__name__}: {str(error)[:500]}") from error
