"""The driver's words, understood; the words are nvidia-smi's."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.runner.machine.nvidia_smi import GpuMemory, Gpus

LISTED = """\
GPU 0: NVIDIA H200 (UUID: GPU-6a1c0000-0000-4000-8000-000000000000)
  MIG 1g.18gb     Device  0: (UUID: MIG-11111111-0000-4000-8000-000000000000)
GPU 1: NVIDIA GeForce RTX 4090 (UUID: GPU-7b2d0000-0000-4000-8000-000000000001)
"""
APPS = """\
GPU-7b2d0000-0000-4000-8000-000000000001, 4711
GPU-7b2d0000-0000-4000-8000-000000000001, 4712
GPU-99990000-0000-4000-8000-000000000009, 1
"""


class Driver:
    """Answers as nvidia-smi would, and counts."""

    def __init__(self, listed: str | None = LISTED, apps: str | None = APPS) -> None:
        self.listed, self.apps = listed, apps
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> str | None:
        self.asked.append(arguments[0])
        return self.listed if arguments[0] == "-L" else self.apps


def test_gpus_are_counted_once_and_their_users_asked_each_time() -> None:
    driver = Driver()
    gpus = Gpus(driver)

    assert gpus.users() == {1: [4711, 4712]}
    assert gpus.users() == {1: [4711, 4712]}
    assert sorted(gpus.uuids) == [0, 1]
    assert driver.asked.count("-L") == 1


def test_a_machine_without_a_driver_has_no_gpus_and_no_users() -> None:
    gpus = Gpus(Driver(None, None))

    assert (dict(gpus.uuids), gpus.users(), gpus.allowed("0")) == ({}, {}, frozenset())


def test_visible_devices_are_indices_or_beginnings_of_uuids() -> None:
    gpus = Gpus(Driver())

    assert gpus.allowed(None) == {0, 1}
    assert gpus.allowed("1") == {1}
    assert gpus.allowed("GPU-6a1c, 1") == {0, 1}
    assert gpus.allowed("") == frozenset()
    assert gpus.allowed("-1") == frozenset()


def test_a_slice_of_a_gpu_is_known_by_its_name_and_has_its_own_memory() -> None:
    gpus = Gpus(Driver())

    assert gpus.slices("MIG-11111111") == [(0, GpuMemory("NVIDIA H200 MIG 1g.18gb", 18 * 2**30, 18 * 2**30))]
    assert gpus.slices("MIG-2") == gpus.slices("0") == gpus.slices(None) == []


def test_memory_is_told_in_bytes_and_left_out_where_the_driver_does_not_tell() -> None:
    answer = "0, 143771, 143000, NVIDIA H200\n1, [N/A], [N/A], NVIDIA GB10\n2, 24564, 20, NVIDIA GeForce RTX 4090\n"

    assert Gpus(lambda _: answer).memory() == {
        0: GpuMemory("NVIDIA H200", 143771 * 2**20, 143000 * 2**20),
        2: GpuMemory("NVIDIA GeForce RTX 4090", 24564 * 2**20, 20 * 2**20),
    }
    assert Gpus(lambda _: None).memory() == {}
    assert Gpus(lambda _: "No devices were found\n").memory() == {}
