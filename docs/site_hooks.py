"""Adds pages that live outside ``docs/`` to the site: the skill's references, CONTRIBUTING and CHANGELOG."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("references/*.md", "CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages under the paths that they have in the repository, relative to its root."""
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            text = path.read_text(encoding="utf-8").replace("](docs/", "](")
            files.append(File.generated(config, name, content=text))
    return files
