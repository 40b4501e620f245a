#!/usr/bin/env python3
"""Compares token counting with tiktoken, in one run on one core. Prints Markdown.

    Benchmarks/tokens.py    after `make build`'s or `make release`'s count-tokens; see Tests/Tokens/compare.py

Speeds are of the processor's time, the best of five rounds; hostile texts show that time grows as the text does.
"""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Tokens"))
os.environ.setdefault("COUNT_TOKENS", str(ROOT / ".build/release/count-tokens"))
os.environ.setdefault("TOKEN_FILE", str(ROOT / ".build/release/relay.tokens"))

from compare import counted, encodings  # noqa: E402
from samples import groups  # noqa: E402

ROUNDS = 5
HOSTILE = {"one letter": "a", "spaces": " ", "newlines": "\n", "space, newline": " \n", "Han": "漢", "Thai": "ภาษาไทย"}
HOSTILE |= {"marks": "\u0301", "equals": "=", "letters": "qwertyuiopasdfghjklzxcvbnm", "upper, lower": "Aa", "quotes": "'"}


def theirs(encoding, texts: list[str], rounds: int) -> float:
    """Returns tiktoken's seconds for all texts."""
    least = float("inf")
    for _ in range(rounds):
        begun = time.thread_time()
        for text in texts:
            encoding.encode(text, disallowed_special=())
        least = min(least, time.thread_time() - begun)
    return least


def table(encoding, name: str) -> None:
    print(f"\n| {name} | MB | relay MB/s | tiktoken MB/s | |\n|---|---|---|---|---|")
    for kind, texts in groups(4).items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        ours = float(counted(name, texts, str(ROUNDS))[0])
        other = theirs(encoding, texts, ROUNDS)
        print(f"| {kind} | {size:.2f} | {size / ours:.1f} | {size / other:.1f} | x {other / ours:.1f} |")


def hostile(encoding, name: str) -> None:
    print(f"\n| {name}, hostile | 1 MB ms | 4 MB ms | anonymous KB | tokens of 1 MB | tiktoken's, ms |\n|---|---|---|---|---|---|")
    for kind, unit in HOSTILE.items():
        texts = [unit * (size // len(unit.encode())) for size in (1_000_000, 4_000_000)]
        times = [counted(name, [text], "3") for text in texts]
        count = counted(name, texts[:1])[0]
        begun = time.thread_time()
        try:
            expected = str(len(encoding.encode(texts[0], disallowed_special=())))
        except BaseException as error:  # noqa: BLE001: it panics where its matcher gives up
            expected = type(error).__name__
        spent = (time.thread_time() - begun) * 1e3
        ours = " | ".join(f"{float(found[0]) * 1e3:.0f}" for found in times)
        print(f"| {kind} | {ours} | {times[1][1]} | {count} | {expected}, {spent:.0f} |")


def main() -> None:
    for name, encoding in encodings().items():
        table(encoding, name)
        hostile(encoding, name)


if __name__ == "__main__":
    main()
