"""Ingests killed at random moments: ``./run.sh bench ingest_kills [--kills 30] [--seed N] [--workers 2]``.

Exit code 1 if one byte differs from an ingest that was never stopped. See ``tests.support.kills.ingest_kills``.
"""

import sys

from tests.support.kills.ingest_kills import main

if __name__ == "__main__":
    sys.exit(main())
