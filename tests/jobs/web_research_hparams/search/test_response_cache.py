"""Cache of responses: a broken entry is none, and the number of entries is bounded."""

from pathlib import Path

from jobs.web_research_hparams.search.response_cache import MAX_ENTRIES, ResponseCache


def test_a_broken_cache_is_no_cache(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path)
    cache.put("arxiv", "question", "answer")
    (file,) = tmp_path.glob("*.json")

    for content in ("", "{}", "[]", '{"identity": "question", "fetched_at": "x", "text": 1}'):
        file.write_text(content)
        assert cache.get("arxiv", "question") is None


def test_the_cache_keeps_no_more_than_so_many_answers(tmp_path: Path) -> None:
    for n in range(MAX_ENTRIES):
        (tmp_path / f"{n}.json").touch()

    ResponseCache(tmp_path).put("arxiv", "question", "answer")

    assert len(list(tmp_path.iterdir())) == MAX_ENTRIES
