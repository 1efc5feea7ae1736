"""A few hundred broken calls; ``./run.sh bench fuzz`` makes ten thousand."""

from __future__ import annotations

from pathlib import Path

from anyio.from_thread import start_blocking_portal

from tests.support.call_fuzzer import make_world, play

N_CALLS = 200


def test_no_call_breaks_a_promise(tmp_path: Path) -> None:
    with start_blocking_portal() as portal:
        world = make_world(tmp_path, portal)

        play(world, N_CALLS, seed_number=7)

    assert sum(world.codes.values()) >= N_CALLS
    assert world.codes["bad_arguments"] > N_CALLS / 4
    assert world.codes["answered"] > 0
