"""The README's commands and its lines of Python, run as they stand there: on the sample's first chapter and the toy."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
import soundfile

from jobs.settings import PROJECT_ROOT, Settings

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
SAMPLES = PROJECT_ROOT / "samples"
TIMEOUT_S = 600


def code_block(text: str, language: str) -> str:
    """Return the first block of code of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def five_commands() -> str:
    """Return the block between the README's markers."""
    found = re.search(r"<!-- five commands.*?-->\n(.*?)<!-- /five commands -->", README, re.DOTALL)
    assert found is not None
    return code_block(found[1], "sh")


def write_first_chapter(folder: Path) -> tuple[Path, Path]:
    """Write the sample's first chapter and its text, without encoding anew."""
    audio, text = folder / "a book.m4b", folder / "a book.txt"
    with av.open(str(SAMPLES / "fables.m4b")) as source, av.open(str(audio), "w", format="ipod") as out:
        stream = source.streams.audio[0]
        chapter = source.chapters()[0]
        end_s = float(chapter["end"] * chapter["time_base"])
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None and packet.dts * packet.time_base < end_s:
                packet.stream = copy
                out.mux(packet)
    text.write_text((SAMPLES / "fables.txt").read_text(encoding="utf-8").split("\n\n")[0], encoding="utf-8")
    return audio, text


def with_sample(script: str, audio: Path, text: Path) -> str:
    """Replace the two lines of the script that name the reader's own files and the released weights."""
    lines = script.splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith(("BOOK=", "CODEC="))]
    assert len(places) == 2
    lines[places[0]] = f'BOOK="{audio}" TEXT="{text}" VOICE=anna'
    lines[places[1]] = "CODEC=toy BASE=toy"
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, end_processes_of: Callable[[Path], None]
) -> Iterator[tuple[Path, str]]:
    """A folder in which the five commands have run, and what they printed."""
    here = tmp_path_factory.mktemp("readme")
    home = here / "home"
    (here / "run.sh").symlink_to(PROJECT_ROOT / "run.sh")
    script = with_sample(five_commands(), *write_first_chapter(here))
    environment = {**os.environ, "TTS_TRAIN_HOME": str(home)}
    environment.pop("TTS_TRAIN_CWD", None)
    try:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        yield here, done.stdout
    finally:
        end_processes_of(home)


def test_the_five_commands_make_a_voice_that_speaks(folder: tuple[Path, str]) -> None:
    here, printed = folder
    dataset, voice = here / "home" / "datasets" / "anna", here / "voices" / "anna"

    rows = [json.loads(line) for line in (dataset / "train_manifest_qwen3.jsonl").read_text().splitlines()]
    [wav] = [Path(line.strip()[2:]) for line in printed.splitlines() if line.strip().endswith(".wav") and "- /" in line]

    assert len(rows) == 4  # two sentences each
    assert all(len(frame) == 16 for row in rows for frame in row["audio_codes"])
    assert all(word["end_s"] > word["start_s"] for row in rows for word in row["words"])
    assert (voice / "voice" / "config.json").is_file()
    assert "<html" in (voice / "report.html").read_text(encoding="utf-8")
    assert soundfile.info(wav).samplerate == 24_000
    assert soundfile.info(wav).frames >= 1_920


def test_the_lines_of_python_speak_with_that_voice(folder: tuple[Path, str]) -> None:
    here, _ = folder
    lines = code_block(README, "python")
    shown = "print(sample_rate, audio[0].dtype, audio[0].ndim, len(audio[0]) >= 1_920)"

    done = subprocess.run(
        [Settings.from_environment().python("ml"), "-c", f"{lines}\n{shown}"],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "24000 float32 1 True"
