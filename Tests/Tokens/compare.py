"""Compares count-tokens with tiktoken, sample by sample: exit 1 with the first that differ.

    compare.py [TIMES]    TIMES as many samples (1: 2,400)

COUNT_TOKENS and TOKEN_FILE name the program and the token file (by default those of .build/debug); TIKTOKEN_CACHE_DIR
has the published rank files, under tiktoken's names; without it they are made from Vocabularies.
"""

import base64
import hashlib
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from samples import encoded, groups

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build/debug"
VOCABULARIES = {"o200k_base": 199_998, "cl100k_base": 100_256}
URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


def fill_cache(folder: Path) -> None:
    """Writes the published rank files where tiktoken looks for them; it checks their digests."""
    for name, count in VOCABULARIES.items():
        packed = lzma.decompress((ROOT / f"Vocabularies/{name}.ranks.xz").read_bytes())
        place, lines = count, []
        for rank, length in enumerate(packed[:count]):
            lines.append(b"%s %d\n" % (base64.b64encode(packed[place : place + length]), rank))
            place += length
        (folder / hashlib.sha1(URL.format(name).encode()).hexdigest()).write_bytes(b"".join(lines))


def counted(name: str, texts: list[str], *rounds: str) -> list[str]:
    """Returns the counts that count-tokens prints."""
    program = os.environ.get("COUNT_TOKENS", str(BUILD / "count-tokens"))
    table = os.environ.get("TOKEN_FILE", str(BUILD / "relay.tokens"))
    done = subprocess.run([program, table, name, *rounds], input=encoded(texts), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split()


def encodings() -> dict:
    """Returns tiktoken's encodings by name."""
    with tempfile.TemporaryDirectory() as folder:
        has_cache = "TIKTOKEN_CACHE_DIR" in os.environ
        if not has_cache:
            fill_cache(Path(folder))
            os.environ["TIKTOKEN_CACHE_DIR"] = folder
        import tiktoken

        try:
            return {name: tiktoken.get_encoding(name) for name in VOCABULARIES}
        finally:
            if not has_cache:
                del os.environ["TIKTOKEN_CACHE_DIR"]


def differing(scale: int) -> int:
    """Returns the number of samples with different counts; prints the first ones."""
    wrong = 0
    samples = [(kind, text) for kind, texts in groups(scale).items() for text in texts]
    for name, encoding in encodings().items():
        counts = counted(name, [text for _, text in samples])
        assert len(counts) == len(samples), "count-tokens left samples out"
        differ = 0
        for (kind, text), count in zip(samples, counts, strict=True):
            expected = len(encoding.encode(text, disallowed_special=()))
            if int(count) != expected:
                differ += 1
                if differ <= 3:
                    print(f"{name}: {kind}: {count} instead of {expected}: {text[:80]!r}")
        print(f"{name}: {len(samples) - differ} of {len(samples)} counts equal")
        wrong += differ
    return wrong


if __name__ == "__main__":
    sys.exit(1 if differing(int(sys.argv[1]) if len(sys.argv) > 1 else 1) else 0)
