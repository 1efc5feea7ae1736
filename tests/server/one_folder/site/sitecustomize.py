"""Puts the folder of the tests' own kind on the path of ``jobs``, in the server and in the workers alike."""

from __future__ import annotations

from pathlib import Path

import jobs

jobs.__path__.append(str(Path(__file__).resolve().parents[1] / "jobs"))
