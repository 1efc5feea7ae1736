"""Plain technical English in the product: docstring openings and banned words, read from the source.

``CONTRIBUTING.md`` has the rule. Run this file as a script to list the offences of some files or folders:
``python tests/test_plain_english.py jobs/runner``.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("jobs", "tools", "server", "bench", "samples", "tests/support")
# A docstring starts with a noun phrase (module, class) or a verb (function), never with a relative clause.
OPENING = re.compile(r"(What|Which|Who|Whom|Whose|Where|How|Whatever|Whoever|Whichever|Whether|Why|When)\b")
# Metaphors of an earlier vocabulary, and a gender for people of whom none is known.
BANNED = re.compile(
    r"\b(told|tell|tells|telling|mend|mends|mended|nobody|whoever|whichever|dice|guardian|doors?|rooms?|crew|lanes?"
    r"|hands|held against|heard of|heard here|ears|he|him|his|himself|she|herself|folks)\b",
    re.IGNORECASE,
)
# From Python 3.12 on, the words of an f-string are tokens of their own.
TEXT_TOKENS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
# Words of speech that the product reads or speaks, not words that it says: file and the reason.
QUOTED: dict[str, str] = {
    "jobs/asr/wer.py": "list of common English words",
    "jobs/qwen/toy/tokenizer.py": "text that the toy's tokenizer is trained on",
    "jobs/synthesize/params.py": "sentences that a voice speaks for its evaluation",
}


def offences(path: Path) -> Iterator[str]:
    """Yield ``file:line: what is wrong`` for every offence of a Python file."""
    source = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and (found := OPENING.match(text)):
                yield f"{name}:{getattr(node, 'lineno', 1)}: a docstring opens with {found[0]!r}"
    if name in QUOTED:
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in TEXT_TOKENS:
            for found in BANNED.finditer(token.string):
                line = token.start[0] + token.string.count("\n", 0, found.start())
                yield f"{name}:{line}: banned word {found[0]!r}"


def product_files(places: list[str]) -> list[Path]:
    """Every Python file of the given files and folders, in order."""
    found = []
    for place in places:
        path = ROOT / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found


@pytest.mark.parametrize("folder", PRODUCT)
def test_the_product_speaks_plain_english(folder: str) -> None:
    assert [offence for file in product_files([folder]) for offence in offences(file)] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""What a job is."""\n', "a docstring opens with 'What'"),
        ('def f():\n    """How long it takes."""\n', "a docstring opens with 'How'"),
        ("x = 1  # nobody reads this\n", "banned word 'nobody'"),
        ('x = f"The {1} door"\n', "banned word 'door'"),
    ],
)
def test_each_kind_of_offence_is_found(tmp_path: Path, source: str, expected: str) -> None:
    file = tmp_path / "example.py"
    file.write_text(source)

    assert any(expected in offence for offence in offences(file))


if __name__ == "__main__":
    found = [offence for file in product_files(sys.argv[1:] or list(PRODUCT)) for offence in offences(file)]
    sys.stdout.write("\n".join([*found, f"{len(found)} offences"]) + "\n")
