"""Address of the web application, for answers, while it runs.

The address is without the key: it opens in the browser that has opened the first address, and nowhere else.
"""

from jobs.files.json_documents import read_object
from jobs.runner.machine import locks
from jobs.runner.models import JobRecord
from jobs.runner.paths import Home

LARGEST_BYTES = 4096
ADDRESS = "address"
PLACES = {"narrate": "books/{job_id}", "synthesize": "listen"}
"""Where people look at jobs of a kind; others are looked at on their own page."""


SEEN_AT = " People see it at "


def find_page(home: Home) -> str:
    """Return the address below which the pages are, ending in a slash; empty: no application runs."""
    try:
        if not locks.is_held(home.page_lock):
            return ""
        found = read_object(home.page, LARGEST_BYTES).get(ADDRESS)
    except (OSError, ValueError):
        return ""
    return found if isinstance(found, str) and found.isascii() and found.isprintable() else ""


def page_of(record: JobRecord, home: Home) -> str:
    """Return the address at which people see a job; empty: no application runs."""
    root = find_page(home)
    place = PLACES.get(record.kind, "jobs/{job_id}") if record.state == "succeeded" else "jobs/{job_id}"
    return root + place.format(job_id=record.job_id) if root else ""
