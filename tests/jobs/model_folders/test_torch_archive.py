"""Files of ``torch.save`` are refused when a tensor is larger than its data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.model_folders.torch_archive import load_archive


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_tensor_that_repeats_its_data_is_refused(tmp_path: Path, device: str) -> None:
    path = tmp_path / "state.pt"
    torch.save({"run": {"lr": [torch.zeros(1).expand(3_000_000_000)]}}, path)

    assert path.stat().st_size < 3000
    with pytest.raises(ValueError, match="larger than its data"):
        load_archive(path, device=device)


def test_views_and_plain_values_are_loaded(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    torch.save({"a": whole[2:5], "b": whole.view(3, 4).T, "step": 7}, tmp_path / "state.pt")

    found = load_archive(tmp_path / "state.pt")

    assert found["step"] == 7
    assert torch.equal(found["a"], whole[2:5])
    assert torch.equal(found["b"], whole.view(3, 4).T)
