"""Builders of hostile files: each takes a folder, writes one small file into it and returns its path.

Every module has a table ``BUILDERS`` by name. Each file ends in a ``UserError`` or an ordinary result, in less than
``MOST_S`` and ``MOST_BYTES``.
"""

MOST_S = 5.0
MOST_BYTES = 500_000_000
