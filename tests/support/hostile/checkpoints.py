"""Files in the place of a training checkpoint, as a stranger would make them."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.support.hostile.torch_archives import save_with_list, shorten_storages


class _Evil:
    """An object whose unpickling makes a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def _whole(**changes: Any) -> dict[str, Any]:
    weights = {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}
    state = {"step": 5, "run": {"lr": 1e-3, "seed": 0}, "weights": weights, "optimiser": {}, "history": {}}
    return {**state, **changes}


def _packed(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/data/0", bytes(50_000_000))


def _short(path: Path) -> None:
    torch.save(_whole(), path.with_name("whole.pt"))
    shorten_storages(path.with_name("whole.pt"), path, 4)


def _outside(path: Path) -> None:
    outside = path.parents[2] / "outside.pt"
    torch.save(_whole(), outside)
    path.symlink_to(outside)


def _writes(state: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(state, path)


HOSTILE_CHECKPOINTS: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"no checkpoint"),
    "a bare pickle": lambda path: path.write_bytes(pickle.dumps(_Evil(path.with_name("trace")))),
    "a pickle in an archive": lambda path: torch.save(_Evil(path.with_name("trace")), path),
    "a pickle among the weights": lambda path: torch.save(_whole(weights=_Evil(path.with_name("trace"))), path),
    "a packed archive": _packed,
    "weights without their numbers": _short,
    "a list that holds itself": lambda path: save_with_list(path, b"\x80\x02]q\x00h\x00a."),
    "a link out": _outside,
    "a list": _writes([1]),
    "no step": _writes({"weights": {}}),
    "another step": _writes(_whole(step=7)),
    "a step that is a word": _writes(_whole(step="5")),
    "an unknown part": _writes(_whole(more=1)),
    "a run that is a list": _writes(_whole(run=[])),
    "losses that are a list": _writes(_whole(history=[])),
    "losses of unknown names": _writes(_whole(history={"evil": []})),
    "losses that are words": _writes(_whole(history={"steps": [["a"] * 6]})),
    "losses of few columns": _writes(_whole(history={"steps": [[1.0]]})),
    "losses of step inf": _writes(_whole(history={"validations": [[float("inf"), 1.0, 1.0, 1.0]]})),
    "a scaler that is a list": _writes(_whole(scaler=[1])),
    "a scaler of unknown names": _writes(_whole(scaler={"evil": 1})),
}


def make_hostile_checkpoint(kind: str, folder: Path) -> Path:
    """Write ``step-000005/state.pt`` in a folder of checkpoints, and return the folder."""
    path = folder / "step-000005" / "state.pt"
    path.parent.mkdir(parents=True)
    HOSTILE_CHECKPOINTS[kind](path)
    return folder


def hostile_optimiser_states() -> dict[str, dict[str, Any]]:
    """Return states of an optimizer that do not fit weights of (2, 2) and (2,), by what is wrong."""
    moments = {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2, 2), "exp_avg_sq": torch.zeros(2, 2)}
    small = torch.zeros(2, 2, dtype=torch.uint8)
    packed = {"step": 1, "state1": small, "state2": small}

    def of_first(**entries: Any) -> dict[str, Any]:
        return {"state": {0: {**moments, **entries}}, "param_groups": []}

    return {
        "no state": {},
        "a state that is a list": {"state": [], "param_groups": []},
        "another parameter": {"state": {7: moments}, "param_groups": []},
        "a small moment": of_first(exp_avg=torch.zeros(1)),
        "a moment in another order": of_first(exp_avg=torch.zeros(2, 2).T),
        "a moment whose numbers share a place": of_first(exp_avg=torch.zeros(1).expand(2, 2)),
        "a moment in two places": of_first(
            exp_avg=torch.zeros(1), __bnb_optimizer_quant_state__={"exp_avg": torch.zeros(2, 2)}
        ),
        "another optimizer's moments": {"state": {0: packed}, "param_groups": []},
        "a sparse moment": of_first(exp_avg=torch.zeros(2, 2).to_sparse()),
        "a moment that is a number": of_first(exp_avg_sq=1.0),
        "a step that is a word": of_first(step="1"),
        "an unknown entry": of_first(evil=torch.zeros(2, 2)),
        "half a state": {"state": {0: {"step": 1.0, "exp_avg": torch.zeros(2, 2)}}, "param_groups": []},
        "8 bits without tables": {"state": {0: packed}, "param_groups": []},
        "8 bits with a short table": {
            "state": {0: {**packed, "__bnb_optimizer_quant_state__": dict.fromkeys(
                ("qmap1", "qmap2", "absmax1", "absmax2"), torch.zeros(1))}},
            "param_groups": [],
        },
    }  # fmt: skip
