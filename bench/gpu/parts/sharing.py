"""One device for several: what the driver is asked, which GPUs a process may see, and two trainings at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import torch

from bench.gpu.support.case import Case, Outcome, Setting, judge, left_out
from bench.gpu.support.memory_peak import MemoryPeak
from bench.support.train_step import Recipe, Stopwatch, trainer_of
from jobs.runner.machine.nvidia_smi import Gpus, ask_nvidia_smi
from jobs.settings import PROJECT_ROOT

DEVICE_OF_A_JOB = "from jobs.qwen.devices import compute_device; print(compute_device())"
HELD_GB = 2
HOLD = f"""
import sys, torch
held = torch.zeros({HELD_GB} * 10**9, dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""
STEPS = 6


def cases(setting: Setting) -> Iterator[Case]:
    """Yield the cases, the cheap ones first."""
    yield Case("no GPU is visible", partial(_sees, "", "cpu"))
    yield Case("the first GPU is visible", partial(_sees, "0", "cuda:0") if setting.is_gpu else partial(_no_gpu))
    yield Case("a GPU is named by its UUID", partial(_named_by_uuid, setting))
    yield Case("a MIG slice is named by its UUID", partial(_mig_slice, setting))
    yield Case("the driver is asked", partial(_driver, setting))
    yield Case("another program holds memory", partial(_other_program, setting))
    yield Case("two trainings at once", partial(_two_at_once, setting))


def _no_gpu() -> Outcome:
    return left_out("There is no GPU.")


def _sees(visible: str, expected: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-c", DEVICE_OF_A_JOB], cwd=PROJECT_ROOT, env={**os.environ, "CUDA_VISIBLE_DEVICES": visible},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    device = done.stdout.split()[-1]
    return judge(
        device == expected, f"With CUDA_VISIBLE_DEVICES={visible!r} a job computes on {device}.", device=device
    )


def _named_by_uuid(setting: Setting) -> Outcome:
    uuids = Gpus().uuids
    if not setting.is_gpu or not uuids:
        return _no_gpu()
    index, uuid = min(uuids.items())
    seen = _sees(uuid, "cuda:0")
    counted = Gpus().allowed(uuid)
    return judge(
        seen.verdict == "good" and counted == {index},
        f"{seen.says} The planner counts GPU {sorted(counted)}.",
        uuid=uuid,
    )


def _mig_slice(setting: Setting) -> Outcome:
    names = re.findall(r"MIG-[0-9a-f-]+", ask_nvidia_smi(["-L"]) or "")
    if not setting.is_gpu or not names:
        return left_out("No GPU here is divided into MIG slices.")
    seen, planned = _sees(names[0], "cuda:0"), Gpus().slices(names[0])
    return judge(
        seen.verdict == "good" and len(planned) == 1,
        f"{seen.says} The planner counts {', '.join(memory.name for _, memory in planned) or 'nothing'}.",
        planned_gb=[round(memory.total / 1e9, 2) for _, memory in planned],
    )


def _driver(setting: Setting) -> Outcome:
    memory = Gpus().memory()
    if not setting.is_gpu:
        return judge(not memory, "No GPU is reported where there is none.", gpus=len(memory))
    _, total = torch.cuda.mem_get_info(setting.device)
    found = next(iter(memory.values()), None)
    if found is None:
        return judge(False, "nvidia-smi reports no memory although torch has a GPU.")
    apart = abs(found.total - total) / total
    return judge(
        apart < 0.05, f"nvidia-smi and torch differ by {apart:.1%} in the memory of {found.name}.",
        nvidia_smi_gb=round(found.total / 1e9, 2), torch_gb=round(total / 1e9, 2),
    )  # fmt: skip


def _other_program(setting: Setting) -> Outcome:
    if not setting.is_gpu:
        return _no_gpu()
    before = {index: found.free for index, found in Gpus().memory().items()}
    if not before:
        return left_out("nvidia-smi reports no free memory: of a MIG slice it does not.")
    users_before = sum(map(len, Gpus().users().values()))
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT
    )
    assert other.stdout is not None
    other.stdout.readline()
    after = Gpus().memory()
    seen = max(free - after[index].free for index, free in before.items() if index in after)
    users = sum(map(len, Gpus().users().values())) - users_before
    other.communicate()
    return judge(
        seen >= HELD_GB * 1e9, f"{seen / 1e9:.1f} GB less are free while another program holds {HELD_GB} GB.",
        less_free_gb=round(seen / 1e9, 2), more_programs_reported=users,
    )  # fmt: skip


def train(device: str, size: str) -> dict[str, float]:
    """Train some steps. Returns frames a second and the peak in GB."""
    peak = MemoryPeak(device)
    peak.start()
    # full training of two at once would need a card of 48 GB
    recipe = Recipe(size=size, method="lora", device=device, accumulation=1, seconds=(6.0, 6.0))
    trainer = trainer_of(recipe, 8)
    watch = Stopwatch(device)
    frames = [trainer.step(watch) for _ in range(2 + STEPS)][2:]
    seconds = sum(sum(step.values()) for step in watch.steps[2:])
    return {"frames_per_s": round(sum(frames) / seconds, 1), "peak_gb": round(peak.allocated() / 1e9, 3)}


def _start(device: str, size: str) -> subprocess.Popen[str]:
    script = f"import json; from bench.gpu.parts.sharing import train; print(json.dumps(train({device!r}, {size!r})))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True,
                            env=environment)  # fmt: skip


def _two_at_once(setting: Setting) -> Outcome:
    size = "tiny" if setting.tiny else "0.6b" if setting.is_gpu else "60m"  # of a CPU all memory is one's own
    alone = _answer(_start(setting.device, size))
    both = [_answer(each) for each in [_start(setting.device, size) for _ in range(2)]]
    together = sum(each["frames_per_s"] for each in both)
    return judge(
        min(each["frames_per_s"] for each in both) > 0, f"Both trainings of the {size} model end.",
        alone_frames_per_s=alone["frames_per_s"],
        together_frames_per_s=round(together, 1), gain=round(together / alone["frames_per_s"], 2),
        peak_gb=[each["peak_gb"] for each in both],
    )  # fmt: skip


def _answer(process: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"a training ended with exit code {process.returncode}")
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found
