"""Builders of hostile files: each takes a folder, writes one small file into it and returns its path.

Every module has a table ``BUILDERS`` by name. Each file ends in a ``UserError`` or an ordinary result, within the
limits of ``tests.support.hostile.limits``.
"""
