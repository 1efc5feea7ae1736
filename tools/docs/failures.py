"""The page ``references/failures.md``: what to do when a job or a call fails, and every error code."""

from __future__ import annotations

from jobs.error_codes import ALIASES, CODES, REASONS

STEPS = """# When a job or a call fails

1. Read `error.code` and `next` of `get_job`; `next` is the call to make. `log_lines: 50` shows more of the log.
2. Find the `reason` of a failed job and the `code` of an error below. Both are stable.
3. Correct the cause and repeat the call: finished work is kept, and a repeated call returns the same job.
4. Noise or babble after training is no error: look at `base_check` in the training's report, lower `lr`, train fewer
   `epochs`, and listen to the clips themselves.
5. Without a GPU or weights, run `./run.sh doctor`: it lists what is missing, its cost, and the command that gets it.
6. A lost connection loses nothing. Jobs continue, and `list_jobs` finds them.
"""


def failures_page() -> str:
    """Return the whole page as Markdown."""
    parts = [STEPS, "## Reasons of failed jobs\n", _table(REASONS)]
    for subject, codes in CODES.items():
        parts += [f"## {subject}\n", _table(codes)]
    retired = {old: f"Replaced by `{new}`." for old, new in ALIASES.items()}
    return "\n".join([*parts, "## Retired codes\n", _table(retired)])


def _table(sentences: dict[str, str]) -> str:
    rows = [f"| `{code}` | {sentence} |" for code, sentence in sentences.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows, ""])
