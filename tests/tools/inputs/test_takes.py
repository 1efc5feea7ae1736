"""Takes by the names that people give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.dataset.takes import Take
from jobs.errors import UserError
from tools.inputs.takes import TakeIndex


def index(*texts: str, folder: Path = Path("/takes")) -> TakeIndex:
    """Takes of these texts, in order, named as ``synthesize`` does."""
    return TakeIndex(folder, [Take(audio=f"{number:03d}.wav", text=text) for number, text in enumerate(texts)])


@pytest.mark.parametrize("said", ["take 2", "Take 2", "take_2", "take #2", " take  2 ", "take no. 2", "001", "001.wav"])
def test_the_second_take_of_a_file_is_take_2_where_that_is_beyond_doubt(said: str) -> None:
    assert index("a", "b", "c").get(said).audio == "001.wav"
    assert index("a", "a", "a").get(said).audio == "001.wav"


def test_with_several_takes_of_several_texts_the_text_is_named_too() -> None:
    takes = index("a", "a", "b", "b")

    assert takes.get("line 2 take 1").audio == "002.wav"
    assert takes.get("text 1, take 2").audio == "001.wav"
    for said in ("take 2", "line 3 take 1", "line 1 take 3", "line 0 take 1"):
        with pytest.raises(UserError, match=r"The takes: 000\.wav, 001\.wav"):
            takes.get(said)


@pytest.mark.parametrize("said", ["take 4", "take 0", "take two", "take", "2", "take 2 of 3", "../take 2", "take 2\0"])
def test_other_words_name_no_take(said: str) -> None:
    with pytest.raises(UserError) as caught:
        index("a", "b", "c").get(said)
    assert caught.value.code == "take_unknown"


def test_a_file_of_that_name_counts_before_the_number() -> None:
    takes = TakeIndex(Path("/takes"), [Take(audio=f"take {number}.wav", text="a") for number in (3, 2, 1)])

    assert takes.get("take 3").audio == "take 3.wav"
    assert takes.get("take_1").audio == "take 1.wav"
