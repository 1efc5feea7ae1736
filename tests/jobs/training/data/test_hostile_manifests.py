"""Coded manifests of strangers: lines that cannot be trained on are rejected, files that are none are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.cost import Cost, count_lines, manifest_seconds
from jobs.errors import UserError
from jobs.training.data.manifest_reader import read_coded_rows
from jobs.training.data.manifest_scan import scan_manifest
from tests.support.hostile.manifests import BUILDERS, CLIP, of_line

CODED = CLIP | {"audio_codes": [[1] * 16] * 4}
NO_FILES = ("a sparse line", "a pipe", "a device", "ten million frames")
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUE = PLAIN | st.lists(PLAIN | st.lists(PLAIN, max_size=3), max_size=3) | st.dictionaries(st.text(max_size=3), PLAIN)
FIELDS = st.sampled_from([*CODED, "speaker", "language", "source", "transcript", "split"])


def read_all(path: Path) -> tuple[int, int]:
    """Read a manifest as planning, training and estimates do: numbers of lines that were and were not accepted."""
    rows = read_coded_rows(path, languages=["english"], codebook_size=2048, max_clip_s=30.0)
    assert all(len(row.detail) < 1_000 for row in rows.rejected)
    scan = scan_manifest(path)
    assert len(scan.clips) + scan.n_unreadable == len(rows.accepted) + rows.n_duplicates + len(rows.rejected)
    seconds = Cost(lambda params: manifest_seconds(params), "s", 1, 1, 1, 1).measure({"manifest": str(path)})
    assert 0 <= seconds < float("inf")
    return len(rows.accepted), len(rows.rejected)


@pytest.mark.parametrize("name", [name for name in BUILDERS if name not in NO_FILES])
def test_a_line_that_is_none_is_rejected_and_stops_no_other(name: str, tmp_path: Path) -> None:
    path = BUILDERS[name](tmp_path)
    path.write_bytes(path.read_bytes() + json.dumps(CODED).encode() + b"\n")

    assert read_all(path) == (1, 1)


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_manifest_is_refused_by_every_reader(name: str, tmp_path: Path) -> None:
    path = BUILDERS[name](tmp_path)

    for read in (
        lambda: read_coded_rows(path, languages=["english"], codebook_size=2048, max_clip_s=30.0),
        lambda: scan_manifest(path),
        lambda: manifest_seconds({"manifest": str(path)}),
        lambda: count_lines({"manifest": str(path)}, "manifest"),
    ):
        with pytest.raises(UserError) as caught:
            read()
        assert caught.value.code in ("file_not_regular", "line_too_long")


@settings(max_examples=50, deadline=None)
@given(line=st.dictionaries(FIELDS, VALUE, max_size=5), raw=st.binary(max_size=40).filter(lambda raw: b"\n" not in raw))
def test_any_line_is_accepted_or_rejected(
    line: dict[str, object], raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = of_line(json.dumps(CODED | line), raw)(tmp_path_factory.mktemp("m"))

    n_accepted, n_rejected = read_all(path)

    assert n_accepted + n_rejected == 1 + bool(raw.strip())
