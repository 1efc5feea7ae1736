"""The CUDA libraries open from the environment's wheels, GPU or not; faults get our codes."""

import pytest

from jobs.asr.ctranslate2_cuda import load_cuda_libraries, translate_cuda_error
from jobs.errors import UserError


def test_the_wheels_libraries_open_without_a_gpu():
    pytest.importorskip("nvidia.cudnn", reason="needs the CUDA wheels of ./run.sh setup ml")

    opened = load_cuda_libraries()

    assert "libcublas.so.12" in opened
    assert "libcudnn_ops.so.9" in opened


def test_a_broken_library_is_named_before_the_process_can_abort(tmp_path):
    (tmp_path / "libcublasLt.so.12").write_bytes(b"not a library")

    with pytest.raises(UserError, match=r"libcublasLt\.so\.12") as refusal:
        load_cuda_libraries((tmp_path,))

    assert refusal.value.code == "cuda_libraries_missing"
    assert "Call setup" in refusal.value.hint


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Library libcudnn_ops.so.9 is not found or cannot be loaded", "cuda_libraries_missing"),
        ("Library libcublas.so.12 is not found or cannot be loaded", "cuda_libraries_missing"),
        ("CUDA out of memory. Tried to allocate 2 GiB", "cuda_oom"),
        ("CUDA driver version is insufficient for CUDA runtime version", "cuda_failed"),
    ],
)
def test_faults_of_cuda_get_a_code(message, code):
    translated = translate_cuda_error(RuntimeError(message), "Whisper large-v3")

    assert translated is not None
    assert translated.code == code
    assert message in translated.message


def test_other_faults_are_not_taken_for_cudas():
    assert translate_cuda_error(RuntimeError("tensor sizes differ"), "Whisper") is None
