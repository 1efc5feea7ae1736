from __future__ import annotations

import pytest

from jobs.http.addresses import is_everywhere, is_loopback


@pytest.mark.parametrize(
    ("host", "loopback", "everywhere"),
    [
        ("127.0.0.1", True, False), ("127.8.8.8", True, False), ("127.1", True, False), ("::1", True, False),
        ("::ffff:127.0.0.1", True, False), ("localhost", True, False),
        ("0.0.0.0", False, True), ("0", False, True), ("0x0", False, True), ("::", False, True),
        ("::ffff:0.0.0.0", False, True), ("", False, True),
        ("192.0.2.1", False, False), ("fe80::1%lo", False, False), ("voices.example", False, False),
        ("a\udcff", False, False),
    ],
)  # fmt: skip
def test_addresses_are_known_however_they_are_written(host: str, loopback: bool, everywhere: bool) -> None:
    assert (is_loopback(host), is_everywhere(host)) == (loopback, everywhere)
