#!/usr/bin/env python3
"""Makes the files of this folder anew, from the rank files that OpenAI publishes and from tiktoken itself.

usage: pack.py FOLDER    FOLDER has o200k_base.tiktoken and cl100k_base.tiktoken; needs tiktoken (PyPI)

NAME.ranks.xz: of each token, in the order of rank, one byte with its length; then the bytes of all, joined.
classes.txt: the code points of each class that the split patterns name, as tiktoken's regular expressions see them:
a line for each run of code points of one category, "first last category" in hexadecimal, categories as in `CATEGORIES`.
"""

import base64
import hashlib
import lzma
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PUBLISHED = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
CATEGORIES = {"Lu": r"\p{Lu}", "Ll": r"\p{Ll}", "Lt": r"\p{Lt}", "Lm": r"\p{Lm}", "Lo": r"\p{Lo}", "M": r"\p{M}"}
CATEGORIES |= {"N": r"\p{N}", "S": r"\s"}


def pack(folder: Path, name: str) -> bytes:
    """The tokens of a rank file, once its digest is the published one."""
    data = (folder / f"{name}.tiktoken").read_bytes()
    if hashlib.sha256(data).hexdigest() != PUBLISHED[name]:
        raise SystemExit(f"{name}.tiktoken is not the published file")
    tokens = [base64.b64decode(line.split()[0]) for line in data.splitlines()]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0, "lp": 0}]
    raw = bytes(map(len, tokens)) + b"".join(tokens)
    return lzma.compress(raw, filters=filters)


def classes() -> str:
    """One line for each run of code points of one category."""
    import tiktoken

    ranks = {bytes([value]): value for value in range(256)}
    text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    category: dict[int, str] = {}
    for name, pattern in CATEGORIES.items():
        encoding = tiktoken.Encoding("classes", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        for start in range(0, len(text), 50_000):
            for char in encoding.decode(encoding.encode_ordinary(text[start : start + 50_000])):
                if category.setdefault(ord(char), name) != name:
                    raise SystemExit(f"{ord(char):x} is of two categories")
    runs: list[list] = []
    for point in sorted(category):
        if runs and runs[-1][1] == point - 1 and runs[-1][2] == category[point]:
            runs[-1][1] = point
        else:
            runs.append([point, point, category[point]])
    return "".join(f"{first:x} {last:x} {name}\n" for first, last, name in runs)


def main() -> None:
    folder = Path(sys.argv[1])
    for name in PUBLISHED:
        (HERE / f"{name}.ranks.xz").write_bytes(pack(folder, name))
    (HERE / "classes.txt").write_text(classes(), encoding="ascii")


if __name__ == "__main__":
    main()
