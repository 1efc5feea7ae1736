"""The original skill's script of this name: ``./run.sh tune-1.7b-bayesian``, for command lines written for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    run = str(Path(__file__).resolve().with_name("run.sh"))
    os.execv(run, [run, "tune-1.7b-bayesian", *sys.argv[1:]])
