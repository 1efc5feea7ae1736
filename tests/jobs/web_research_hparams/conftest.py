"""A server for all tests of the folder that do not change what it answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.jobs.web_research_hparams.services import Services, serving


@pytest.fixture
def services() -> Iterator[Services]:
    """All services, answering well; a test may put other answers in their place."""
    with serving() as found:
        yield found
