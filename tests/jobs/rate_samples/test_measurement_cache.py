"""Cache of measurements: stored under everything that they depend on, computed once."""

from __future__ import annotations

from pathlib import Path

from jobs.rate_samples.measurement_cache import MeasurementCache, cache_key
from jobs.runner.worker.journal import Journal


def test_a_key_changes_with_everything_it_depends_on() -> None:
    keys = {cache_key("clip", "hash", "text"), cache_key("clip", "hash", "other"), cache_key("cut", "hash", "text")}

    assert len(keys) == 3
    assert cache_key("clip", "hash", "text") in keys


def test_keys_of_earlier_versions_are_still_found() -> None:
    assert cache_key("cut", "abc", 2.0, "2") == "8cb036778ed0f0849b6e0951"


def test_a_value_is_computed_once_for_the_same_inputs_and_models(tmp_path: Path) -> None:
    computed: list[str] = []

    def compute() -> str:
        computed.append("once")
        return "value"

    for versions in (("2", "ge2e"), ("2", "ge2e"), ("2", "wavlm")):
        with Journal(tmp_path / "measures.jsonl") as journal:
            cache = MeasurementCache(journal, versions, before_compute=lambda: None)
            assert cache.get_or_compute(str, compute, "clip", "hash") == "value"

    assert len(computed) == 2


def test_a_value_of_another_form_is_computed(tmp_path: Path) -> None:
    with Journal(tmp_path / "measures.jsonl") as journal:
        journal.add(cache_key("clip", "hash"), {"ovrl": "high"})
        cache = MeasurementCache(journal, (), before_compute=lambda: None)

        assert cache.get_or_compute(dict[str, float], lambda: {"ovrl": 3.0}, "clip", "hash") == {"ovrl": 3.0}
        assert cache.get_or_compute(dict[str, float], dict, "clip", "hash") == {"ovrl": 3.0}
