"""Which variables the supervisor keeps of the process that starts it."""

import pytest

from jobs.variables import is_secret, is_shared


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "http_proxy", "NO_PROXY", "SSL_CERT_FILE", "LD_LIBRARY_PATH",
     "PYTHONPATH", "CUDA_HOME", "CUDA_LAUNCH_BLOCKING", "PYTORCH_CUDA_ALLOC_CONF", "NCCL_P2P_DISABLE",
     "HF_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN_PATH", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS",
     "HSA_OVERRIDE_GFX_VERSION", "SLURM_CONF", "SBATCH_ACCOUNT", "KRB5CCNAME", "XDG_CACHE_HOME", "TTS_TRAIN_HOME"],
)  # fmt: skip
def test_what_jobs_need_is_kept(name: str) -> None:
    assert is_shared(name)
    assert not is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
     "GITHUB_PAT", "BRAVE_KEY", "TTS_TRAIN_BRAVE_KEY", "SEARCH", "PGPASSWORD", "SLURM_JWT", "MY_OWN", "DATABASE_URL",
     "SSH_AUTH_SOCK", "CUDA_VISIBLE_DEVICES"],
)  # fmt: skip
def test_keys_choices_and_what_is_not_known_are_not(name: str) -> None:
    assert not is_shared(name)
