"""Number format of a device: bfloat16 where the hardware computes in it, else float16 or float32, with the reason.

Decided from a description of the device, without torch, so that a dry run gives the same answer as the job.
``torch.cuda.is_bf16_supported()`` does not decide it: by default it also counts GPUs that only emulate bfloat16 (torch
2.8), on which it is slower than float32.
"""

from dataclasses import dataclass
from typing import Literal

from jobs.errors import UserError

# Compute capability of the first GPUs with the arithmetic. Source: CUDA C++ Programming Guide, "Compute Capabilities";
# torch.cuda.is_bf16_supported(including_emulation=False) of torch 2.8 has the same limit, and accepts all of ROCm.
_BFLOAT16_FROM = (8, 0)  # Ampere
_FLOAT16_TENSOR_CORES_FROM = (7, 0)  # Volta; before it float16 brings no speed

NumberFormat = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class DeviceInfo:
    """Properties of a device that decide its number format.

    Attributes:
        kind: ``cuda`` are GPUs of NVIDIA, ``rocm`` those of AMD.
        name: of the GPU.
        capability: CUDA compute capability, major and minor; None: unknown.
    """

    kind: Literal["cpu", "cuda", "rocm"]
    name: str = "the CPU"
    capability: tuple[int, int] | None = None

    @property
    def has_bfloat16(self) -> bool:
        """True where the hardware computes in bfloat16, emulation not counted."""
        if self.kind == "cuda":
            return self.capability is not None and self.capability >= _BFLOAT16_FROM
        return self.kind == "rocm"

    def __str__(self) -> str:
        if self.kind != "cuda" or self.capability is None:
            return self.name
        return f"{self.name} (compute capability {self.capability[0]}.{self.capability[1]})"


@dataclass(frozen=True)
class Precision:
    """Number format of the arithmetic, and the reason for it."""

    format: NumberFormat
    reason: str

    @property
    def scales_loss(self) -> bool:
        """True where gradients are too small for the format's range unless the loss is scaled up."""
        return self.format == "float16"

    def __str__(self) -> str:
        return f"{self.format}{' with loss scaling' if self.scales_loss else ''}: {self.reason}"


def training_precision(device: DeviceInfo, wanted: NumberFormat | Literal["auto"] = "auto") -> Precision:
    """Choose the arithmetic of training; trained weights are float32 in any case.

    float16 needs a scaled loss, and a base whose activations stay below 65,504: the job measures that before the first
    step and falls back to float32.

    Raises:
        UserError: ``dtype_unavailable``: the device does not compute in the format that is wanted.
    """
    if wanted != "auto":
        _check_wanted(device, wanted)
        return Precision(wanted, "as dtype says")
    if device.kind == "cpu":
        return Precision("float32", "on a CPU half precision brings no speed")
    if device.has_bfloat16:
        return Precision("bfloat16", f"{device} computes in it")
    if device.capability is not None and device.capability >= _FLOAT16_TENSOR_CORES_FROM:
        return Precision("float16", f"{device} has no bfloat16 arithmetic")
    return Precision("float32", f"{device} has neither bfloat16 arithmetic nor float16 tensor cores")


def _check_wanted(device: DeviceInfo, wanted: NumberFormat) -> None:
    is_known = device.kind == "rocm" or device.capability is not None
    if device.kind == "cpu" and wanted != "float32":
        why, instead = "on a CPU half precision brings no speed", "float32"
    elif wanted == "bfloat16" and device.kind != "cpu" and is_known and not device.has_bfloat16:
        why, instead = f"{device} only emulates it, more slowly than float32", "float16"
    else:
        return
    raise UserError("dtype_unavailable", f"dtype={wanted}: {why}.", f"Leave dtype out, or give dtype={instead}.")


def synthesis_precision(device: DeviceInfo) -> Precision:
    """Choose the arithmetic of generation: bfloat16 or else float32, because float16 may overflow unnoticed."""
    if device.has_bfloat16:
        return Precision("bfloat16", f"{device} computes in it")
    return Precision("float32", f"{device} has no bfloat16 arithmetic")
