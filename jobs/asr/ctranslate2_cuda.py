"""The CUDA libraries that CTranslate2 opens by name: found in the environment's own wheels, faults translated.

CTranslate2 aborts the whole process when it cannot open cuDNN in the middle of a call, so they are opened before.
"""

import ctypes
from importlib.util import find_spec
from pathlib import Path

from jobs.errors import UserError

# CTranslate2 4.5 and later open these by soname (its CUDA 12 build; upstream's CUDNN_TROUBLESHOOTING.md).
_LIBRARIES = {
    "cublas": ("libcublasLt.so.12", "libcublas.so.12"),
    "cudnn": ("libcudnn.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9"),
}
_HINT = (
    "Call setup, which brings the cuBLAS 12 and cuDNN 9 wheels; check the "
    "driver with nvidia-smi; or run on the CPU with device cpu."
)


def load_cuda_libraries(folders: tuple[Path, ...] | None = None) -> list[str]:
    """Open cuBLAS and cuDNN globally, so that CTranslate2 finds them without ``LD_LIBRARY_PATH``; return the sonames.

    ``folders`` replace the environment's ``nvidia`` wheels. Raises ``UserError``: ``cuda_libraries_missing``, naming
    the first that cannot be opened.
    """
    opened = []
    for package, sonames in _LIBRARIES.items():
        for soname in sonames:
            found = [path for path in _candidates(package, soname, folders) if path.is_file()]
            try:
                ctypes.CDLL(str(found[0]) if found else soname, mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise UserError("cuda_libraries_missing", f"{soname} cannot be opened: {error}.", _HINT) from error
            opened.append(soname)
    return opened


def _candidates(package: str, soname: str, folders: tuple[Path, ...] | None) -> list[Path]:
    if folders is None:
        spec = find_spec("nvidia")
        roots = [Path(root) for root in spec.submodule_search_locations or []] if spec else []
        folders = tuple(root / package / "lib" for root in roots)
    return [folder / soname for folder in folders]


def translate_cuda_error(error: RuntimeError, what: str) -> UserError | None:
    """The error of ours for a fault of CUDA, cuBLAS or cuDNN; None when the fault is something else."""
    text = str(error)
    lowered = text.lower()
    if "out of memory" in lowered:
        return UserError(
            "cuda_oom",
            f"{what} does not fit in the GPU's free memory: {text}.",
            "End what else uses the GPU (nvidia-smi), take smaller batches or a smaller model, or run on the CPU with "
            "device cpu.",
        )
    if "cudnn" in lowered or "cublas" in lowered:
        return UserError("cuda_libraries_missing", f"{what} met a fault of the CUDA libraries: {text}.", _HINT)
    if "cuda" in lowered:
        return UserError("cuda_failed", f"{what} failed on the GPU: {text}.", _HINT)
    return None
