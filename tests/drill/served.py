"""The command line with the drill's own tool beside the real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import tools
from server.cli.main import main

if __name__ == "__main__":
    tools.__path__.append(str(Path(__file__).parent / "tools"))
    sys.exit(main())
