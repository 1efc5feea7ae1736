"""The number format follows what the hardware computes in, not what it can emulate."""

from __future__ import annotations

import pytest
import torch

from jobs.qwen.devices import describe_device, torch_dtype
from jobs.qwen.precision import DeviceInfo, Precision, synthesis_precision, training_precision

P100 = DeviceInfo("cuda", "Tesla P100-PCIE-16GB", (6, 0))
V100 = DeviceInfo("cuda", "Tesla V100-SXM2-16GB", (7, 0))
T4 = DeviceInfo("cuda", "Tesla T4", (7, 5))
RTX_3060 = DeviceInfo("cuda", "NVIDIA GeForce RTX 3060", (8, 6))
H100 = DeviceInfo("cuda", "NVIDIA H100 80GB HBM3", (9, 0))
MI300 = DeviceInfo("rocm", "AMD Instinct MI300X", (9, 4))
CPU = DeviceInfo("cpu")


@pytest.mark.parametrize(
    ("device", "training", "synthesis"),
    [
        (P100, "float32", "float32"),
        (V100, "float16", "float32"),
        (T4, "float16", "float32"),
        (RTX_3060, "bfloat16", "bfloat16"),
        (H100, "bfloat16", "bfloat16"),
        (MI300, "bfloat16", "bfloat16"),
        (CPU, "float32", "float32"),
    ],
    ids=lambda value: value.name if isinstance(value, DeviceInfo) else value,
)
def test_only_hardware_with_bfloat16_arithmetic_uses_it(device: DeviceInfo, training: str, synthesis: str) -> None:
    assert training_precision(device).format == training
    assert synthesis_precision(device).format == synthesis


def test_the_reason_names_the_gpu_and_its_capability() -> None:
    assert str(training_precision(T4)) == (
        "float16 with loss scaling: Tesla T4 (compute capability 7.5) has no bfloat16 arithmetic"
    )


def test_this_machines_device_is_described() -> None:
    assert describe_device("cpu") == CPU
    assert torch_dtype(Precision("float16", "")) is torch.float16
