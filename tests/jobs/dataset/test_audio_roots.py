"""Audio of a manifest: in its folder, by links and names inside the roots, never a file of the home itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.dataset.audio_roots import AudioRoots, name_from
from jobs.errors import UserError


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset in a root, with links into the root and out of it, and a home beside it."""
    folder = tmp_path / "root" / "dataset"
    for made in (folder, tmp_path / "root" / "home" / "datasets", tmp_path / "apart"):
        made.mkdir(parents=True)
    for file in ("root/other.wav", "root/home/config.toml", "root/home/datasets/a.wav", "apart/a.wav"):
        (tmp_path / file).touch()
    (folder / "in.wav").symlink_to(tmp_path / "root" / "other.wav")
    (folder / "out.wav").symlink_to(tmp_path / "apart" / "a.wav")
    (folder / "settings.wav").symlink_to(tmp_path / "root" / "home" / "config.toml")
    return folder


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        ("missing.wav", True), ("in.wav", True), ("../other.wav", True), ("../home/datasets/a.wav", True),
        ("out.wav", False), ("../../apart/a.wav", False), ("/etc/hostname", False), ("a\0b", False),
        ("settings.wav", False), ("../home/config.toml", False),
    ],
)  # fmt: skip
def test_links_and_clips_elsewhere_are_found_inside_the_roots_only(name: str, is_found: bool, dataset: Path) -> None:
    root = dataset.parent
    found: list[Path] = []
    codes: list[str] = []

    for roots in (AudioRoots((root,), root / "home"), AudioRoots((root,), root / "home")):
        try:
            found.append(roots.find(dataset / "m.jsonl", dataset, name))
        except UserError as error:
            codes.append(error.code)

    assert len(found) == (2 if is_found else 0)
    assert all(path.is_relative_to(root) for path in found)
    assert set(codes) <= {"path_outside_dataset"}


def test_without_roots_only_the_folder_itself_counts(dataset: Path) -> None:
    with pytest.raises(UserError) as refused:
        AudioRoots().find(dataset / "m.jsonl", dataset, "in.wav")

    assert refused.value.code == "path_outside_dataset"


def test_a_manifest_names_a_file_below_it_relative_and_any_other_by_its_whole_path(dataset: Path) -> None:
    root = dataset.parent
    (root / "alias").symlink_to(dataset)

    assert name_from(dataset, dataset / "clips" / ".." / "a.wav") == "a.wav"
    assert name_from(dataset, dataset / "in.wav") == "in.wav"
    assert name_from(root / "alias", dataset / "clips" / "a.wav") == "clips/a.wav"
    assert name_from(dataset, root / "other.wav") == str(root / "other.wav")
    assert name_from(root / "home", dataset / "in.wav") == str(root / "other.wav")
