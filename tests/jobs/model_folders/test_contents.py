"""Files of a model's folder: inside, regular, bounded; libraries see them and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import UserError
from jobs.model_folders.contents import ModelFolder, check_sizes, inert, staged
from jobs.qwen.config_schema import check_codec_config, check_model_config, sampling_defaults
from jobs.qwen.toy.config import codec_config, model_config
from jobs.qwen.toy.tokenizer import SPECIAL_TOKENS

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
WHERE = Path("config.json")


def refusal(call: Callable[[], object]) -> str | None:
    """Code of the refusal of a call; None when it passes."""
    try:
        call()
    except UserError as error:
        return error.code
    return None


def config() -> dict[str, object]:
    return model_config(
        shape="0.6b", text_ids=dict.fromkeys(SPECIAL_TOKENS, 0), text_vocab_size=10, codebook_size=256, hidden=64,
        layers=1, predictor_hidden=None,
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_config_with_any_entry_is_usable_or_refused(data: st.DataObject) -> None:
    for whole, check in ((config(), check_model_config), (codec_config(256), check_codec_config)):
        place: dict[str, object] = whole
        while isinstance(inner := place[data.draw(st.sampled_from(sorted(place)))], dict) and inner:
            place = inner
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(VALUES)
        assert refusal(lambda: check(whole, WHERE)) in (None, "model_broken")  # noqa: B023 - called at once


@settings(max_examples=50, deadline=None)
@given(
    document=st.dictionaries(st.sampled_from(["top_k", "top_p", "temperature", "do_sample", "max_new_tokens"]), VALUES)
)
def test_defaults_of_sampling_are_bounded(document: dict[str, object]) -> None:
    refused = refusal(lambda: sampling_defaults(document, WHERE))

    assert refused in (None, "model_broken")
    if refused is None:
        found = sampling_defaults(document, WHERE)
        assert found.get("max_new_tokens", 1) <= 100_000
        assert 0 < found.get("temperature", 1) <= 100


def test_entries_that_libraries_act_on_are_left_out_at_every_level() -> None:
    acted_on = {
        "auto_map": {}, "_attn_implementation": "x/y", "attn_implementation": "x/y", "quantization_config": {},
        "tokenizer_file": "/etc/passwd", "vocab_file": "/etc/passwd", "base_model_name_or_path": "x",
        "chat_template": "{{", "custom_generate": "x", "trust_remote_code": True, "pruned_heads": {},
        "from_slow": True, "__slow_tokenizer": "x",
    }  # fmt: skip
    kept = {"hidden_size": 1, "_frame_rate": 12.5, "eos_token": "x", "spk_id": {"my_file": 1}}

    assert inert({**acted_on, **kept, "talker_config": {**acted_on, **kept}}) == {**kept, "talker_config": kept}


@pytest.mark.parametrize(
    "entries",
    [
        {"n": 2**40},
        {"x": {"y": [[-(2**40)]]}},
        {"num_hidden_layers": 257},
        {"x": [0] * 10_001},
        {"encoder_layers": 1e3},
    ],
)
def test_a_size_that_no_model_has_is_refused(entries: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        check_sizes(entries, WHERE)

    assert caught.value.code == "model_broken"


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "loop", "missing", "folder"])
def test_a_link_that_leads_nowhere_good_is_missing_or_refused(target: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "outside").write_text("{}")
    (folder / "loop").symlink_to("loop")
    (folder / "config.json").symlink_to(target)

    found = refusal(lambda: ModelFolder.at(folder).find("config.json"))
    assert found == {"missing": None, "loop": None, "folder": "file_not_regular"}.get(target, "path_outside_model")
    with pytest.raises(UserError):
        ModelFolder.at(folder).read("config.json")


def test_a_snapshot_reads_the_blobs_of_its_own_repository_only(tmp_path: Path) -> None:
    own, other = tmp_path / "models--a--b", tmp_path / "models--c--d"
    snapshot = own / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    for repository in (own, other):
        (repository / "blobs").mkdir(parents=True)
        (repository / "blobs" / "1").write_text('{"a": 1}')
    (snapshot / "own.json").symlink_to("../../blobs/1")
    (snapshot / "other.json").symlink_to("../../../models--c--d/blobs/1")

    assert ModelFolder.at(snapshot).read("own.json") == {"a": 1}
    with pytest.raises(UserError) as caught:
        ModelFolder.at(snapshot).find("other.json")
    assert caught.value.code == "path_outside_model"


def test_a_staged_folder_holds_what_was_given_and_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"123")

    with staged({"model.safetensors": tmp_path / "weights", "config.json": {"a": "\udcff"}}) as known:
        assert sorted(path.name for path in known.iterdir()) == ["config.json", "model.safetensors"]
        assert (known / "model.safetensors").read_bytes() == b"123"
        assert json.loads((known / "config.json").read_text()) == {"a": "\udcff"}
        assert known.stat().st_mode & 0o777 == 0o700

    assert not known.exists()
    assert (tmp_path / "weights").read_bytes() == b"123"
