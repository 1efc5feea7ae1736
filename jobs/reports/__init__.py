"""HTML reports: one base template and stylesheet for every kind of job; text is escaped, no script, no network."""

from jobs.reports.html import data_url, embed_picture, write_page

__all__ = ["data_url", "embed_picture", "write_page"]
