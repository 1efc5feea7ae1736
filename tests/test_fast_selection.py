"""The fast tests: what is left out exists, and what is chosen loads no heavy library."""

import pytest

from tests.fast_selection import ROOT, SLOW, is_fast, needs_heavy_library


@pytest.mark.parametrize("place", SLOW)
def test_what_is_left_out_by_name_is_there(place: str) -> None:
    assert (ROOT / place).exists()


def test_a_file_that_imports_torch_is_left_out_also_through_another_module() -> None:
    assert needs_heavy_library(ROOT / "tests" / "jobs" / "qwen" / "test_codec.py")
    assert needs_heavy_library(ROOT / "tests" / "jobs" / "training" / "run" / "test_optim.py")


def test_light_tests_are_chosen() -> None:
    assert is_fast(ROOT / "tests" / "jobs" / "test_durations.py")
    assert is_fast(ROOT / "tests" / "test_architecture.py")
