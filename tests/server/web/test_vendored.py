"""Libraries of the pages: what is shipped is what the list says, with a licence each."""

from __future__ import annotations

import json

from server.web.vendored import FILES, LIST, VENDOR, describe, read_vendored


def test_what_is_shipped_is_what_the_list_says() -> None:
    listed = json.loads((VENDOR / LIST).read_text())

    assert describe(read_vendored()) == listed
    assert set(listed) == set(FILES)


def test_every_library_has_a_licence_that_allows_to_ship_it() -> None:
    listed = json.loads((VENDOR / LIST).read_text())

    assert {package: one["license"] for package, one in listed.items()} == {
        "htmx.org": "0BSD", "wavesurfer.js": "BSD-3-Clause", "uplot": "MIT",
    }  # fmt: skip
    assert all((VENDOR / package / "LICENSE").stat().st_size > 300 for package in FILES)


def test_nothing_else_is_in_the_folder() -> None:
    files = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}

    assert files == {*read_vendored(), LIST, "package.json", "package-lock.json"}
    assert sum((VENDOR / name).stat().st_size for name in files) < 250_000
