"""Datasets in other tools' layouts, read and written through those tools' own libraries where they have one."""
