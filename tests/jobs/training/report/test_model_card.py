"""The card of a voice can be read again, whatever it is made of."""

from __future__ import annotations

import json

from jobs.qwen.model_files import CARD_BYTES
from jobs.training.report.model_card import shorten_card


def test_a_card_is_never_longer_than_one_that_is_read() -> None:
    probes = {"columns": ["step"], "rows": [[1]]}
    of_base = {"base_card": {"padding": "x" * CARD_BYTES}, "probes": probes, "steps": 7}
    of_run = {"base_card": {"steps": 3}, "probes": {"rows": ["x" * CARD_BYTES]}, "steps": 7}
    short = {"base_card": {"steps": 3}, "probes": probes, "steps": 7}

    assert shorten_card(of_base) == {"base_card": None, "probes": probes, "steps": 7}
    assert shorten_card(of_run) == {"base_card": None, "probes": None, "steps": 7}
    assert shorten_card(short) == short
    assert len(json.dumps(shorten_card(of_run))) < CARD_BYTES
