"""Upstream's fine-tuning script, held at every optimiser step, and the process of its own that it runs in.

It runs as it is but for what a CPU needs (``EDITS``), and for a base of the 0.6B's shape, where the script as it is
ends with an error, with the fix of upstream's open pull requests 188 and 336 (``FIX_0_6B``).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import torch

from bench.support.memory import peak_rss_mb
from jobs.qwen.upstream import qwen_tts

SCRIPT = "sft_12hz.py"
ATTENTION = ('attn_implementation="flash_attention_2"', 'attn_implementation="sdpa"')
# accelerate 1.12 refuses it without a folder; the script logs nothing with it
TRACKER = (', log_with="tensorboard"', "")
EDITS = {
    "cpu": (
        ATTENTION,
        TRACKER,
        ('mixed_precision="bf16"', 'mixed_precision="no"'),
        ("torch.bfloat16", "torch.float32"),
    ),
    "cuda": (ATTENTION, TRACKER),
}
FIX_0_6B = (
    "model.talker.model.text_embedding(input_text_ids) * text_embedding_mask",
    "model.talker.text_projection(model.talker.model.text_embedding(input_text_ids)) * text_embedding_mask",
)
ABOUT_FIX = "text_projection before the sum, as in QwenLM/Qwen3-TTS pull requests 188 and 336"

Turn = tuple[int, float, float, int]
"""Frames, seconds and CPU seconds of an optimiser step, and the process's peak of memory so far in MB."""


class Upstream:
    """The script, held before every optimiser step's first forward pass.

    Args:
        folder: with ``sft_12hz.py`` and ``dataset.py``.
        arguments: of its command line.
        device: which edits it needs.
        fixed: with ``FIX_0_6B``.
    """

    def __init__(self, folder: Path, arguments: list[str], device: str, *, fixed: bool) -> None:
        source = (folder / SCRIPT).read_text(encoding="utf-8")
        for old, new in (*EDITS[device], *[FIX_0_6B] * fixed):
            if source.count(old) != 1:
                sys.exit(f"{folder / SCRIPT}: expected {old} once; this is another version of the script.")
            source = source.replace(old, new)
        self._arguments, self._folder = arguments, folder
        self._code = compile(source, str(folder / SCRIPT), "exec")
        self._n_threads = torch.get_num_threads()
        self._go: queue.Queue[bool] = queue.Queue()
        self._came: queue.Queue[BaseException | None] = queue.Queue()
        self._frames = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def step(self) -> int:
        """Let it make one optimiser step; returns the frames that it learnt."""
        self._frames = 0
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.put(True)
        error = self._came.get()
        if error is not None:
            raise error
        return self._frames

    def stop(self) -> None:
        """End it where it is held; nothing is saved."""
        self._go.put(False)
        self._thread.join()

    def _run(self) -> None:
        torch.set_num_threads(self._n_threads)
        try:
            with self._hooked() as script:
                script["train"]()
        except _Stopped:
            return
        except BaseException as error:
            self._came.put(error)

    @contextlib.contextmanager
    def _hooked(self) -> Iterator[dict[str, Any]]:
        talker = qwen_tts().core.models.modeling_qwen3_tts.Qwen3TTSTalkerForConditionalGeneration
        upstream, argv = talker.forward_sub_talker_finetune, sys.argv

        def counted(module: Any, codes: torch.Tensor, hidden: torch.Tensor) -> Any:
            self._frames += len(codes)
            return upstream(module, codes, hidden)

        sys.path.insert(0, str(self._folder))
        sys.argv = [SCRIPT, *self._arguments]
        talker.forward_sub_talker_finetune = counted
        try:
            script: dict[str, Any] = {"__name__": "upstream"}
            exec(self._code, script)
            script["AdamW"] = _holding(self._hold)
            yield script
        finally:
            talker.forward_sub_talker_finetune = upstream
            sys.path.remove(str(self._folder))
            sys.argv = argv

    def _hold(self) -> None:
        self._came.put(None)
        if not self._go.get():
            raise _Stopped


class _Stopped(BaseException):
    """Ends the script."""


def _holding(hold: Callable[[], None]) -> type[torch.optim.AdamW]:
    class Held(torch.optim.AdamW):
        """The script's optimiser; after each step it waits for us."""

        def step(self, *arguments: Any, **named: Any) -> Any:
            done = super().step(*arguments, **named)
            hold()
            return done

    return Held


def timed(step: Callable[[], int], device: str) -> Turn:
    """Make a step and time it."""
    began, cpu = time.perf_counter(), time.process_time()
    n_frames = step()
    if device != "cpu":
        torch.cuda.synchronize()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    peak_mb = peak_rss_mb() if device == "cpu" else torch.cuda.max_memory_allocated() // 2**20
    return n_frames, seconds, cpu_seconds, peak_mb


class Side:
    """A process that makes steps: ``serve`` at the other end.

    Args:
        module: its main module.
        arguments: its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self) -> Turn:
        """Let it make one optimiser step."""
        answer = self._ask()
        if isinstance(answer, str):
            sys.exit(f"A step failed: {answer}")
        n_frames, seconds, cpu_seconds, peak_mb = answer
        return n_frames, seconds, cpu_seconds, peak_mb

    def error_of_step(self) -> str | None:
        """Let it make one optimiser step; returns its error."""
        answer = self._ask()
        return answer if isinstance(answer, str) else None

    def _ask(self) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit("The process ended; its own words are above.")
        return json.loads(answer)

    def close(self) -> None:
        """End it where it is held."""
        self._process.communicate()


def serve(step: Callable[[], int], device: str, answers: TextIO) -> None:
    """Make a step for every line that comes in; a step that fails is answered with its error."""
    for _ in sys.stdin:
        try:
            answer: Turn | str = timed(step, device)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), file=answers, flush=True)


def take_stdout() -> TextIO:
    """Return a stream to stdout, and send what is printed to stderr instead, because it is not an answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def main(folder: Path, device: str, n_threads: int, fixed: bool, arguments: list[str]) -> None:
    """Serve steps of the script."""
    torch.set_num_threads(n_threads)
    answers = take_stdout()
    upstream = Upstream(folder, arguments, device, fixed=fixed)
    serve(upstream.step, device, answers)
    upstream.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "fixed", sys.argv[5:])
