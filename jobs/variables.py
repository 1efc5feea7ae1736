"""Variables of a process environment: those that jobs need of the machine, and those that hold a secret. stdlib only.

The supervisor is started by the first client and works for all, so it keeps only what is known to be needed.
A Hugging Face token is found by the libraries in its file under ``HF_HOME`` (``hf auth login``).
"""

import re

_SECRET = re.compile(
    r".*(TOKEN|KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|CREDENTIAL|COOKIE|AUTH|JWT|_PAT)S?(_ID)?", re.I
)
# Of a name without underscore the whole name, else its first part.
_NEEDED = frozenset(
    {
        # the system: programs, accounts, language, time, temporary files, Kerberos tickets of a network file system
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC", "TZ", "TMPDIR", "TEMP", "TMP", "TERM"),
        *("XDG", "KRB5CCNAME", "LD", "DYLD", "MALLOC", "TCMALLOC", "GLIBC", "OMPI", "PMIX", "UCX", "FI"),
        # proxies and certificates of a network
        *("HTTP", "HTTPS", "ALL", "NO", "SSL", "REQUESTS", "CURL"),
        # Python, GPUs and numerical libraries
        *("PYTHON", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE"),
        *("PYTHONHASHSEED", "PYTHONWARNINGS", "PYTHONFAULTHANDLER", "PYTHONIOENCODING", "PYTHONUTF8"),
        *("CUDA", "CUDNN", "CUBLAS", "NVIDIA", "NCCL", "GLOO", "TRITON", "TORCH", "TORCHINDUCTOR", "PYTORCH"),
        *("ROCR", "HIP", "HSA", "ROCM", "MIOPEN", "AMD", "OMP", "GOMP", "KMP", "MKL", "OPENBLAS", "BLIS", "VECLIB"),
        *("NUMEXPR", "NUMBA", "ONNXRUNTIME", "ORT", "CT2", "OPENCV", "MPLCONFIGDIR", "MPLBACKEND", "BNB", "ACCELERATE"),
        # models and data
        *("HF", "HUGGINGFACE", "TRANSFORMERS", "DATASETS", "TOKENIZERS", "NLTK", "LHOTSE", "ESPEAK", "PHONEMIZER"),
        # services that losses are logged to
        *("WANDB", "TRACKIO"),
        # uv, which set-up installs with: an index of one's own, certificates
        "UV",
        # clusters, and this project
        *("SLURM", "SBATCH", "SQUEUE", "SCANCEL", "SRUN", "TTS"),
    }
)
_CHOICES = frozenset({"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"})


def is_secret(name: str) -> bool:
    """Return True for a variable whose name says that it holds a token, key or password."""
    return _SECRET.fullmatch(name) is not None


def is_shared(name: str) -> bool:
    """Return True for a variable that jobs need and that is neither one person's secret nor their choice of a GPU."""
    return name.upper().split("_", 1)[0] in _NEEDED and name not in _CHOICES and not is_secret(name)
