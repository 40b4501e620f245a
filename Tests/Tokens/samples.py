"""Samples for token counts, always the same: prose in 15 languages (Django's own translations, read from its package),
code (Python's library), emoji, runs of spaces, texts of special tokens, contractions, random Unicode."""

import random
import re
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

LANGUAGES = {
    "English": "en",
    "German": "de",
    "French": "fr",
    "Spanish": "es",
    "Polish": "pl",
    "Turkish": "tr",
    "Russian": "ru",
    "Greek": "el",
    "Arabic": "ar",
    "Hebrew": "he",
    "Hindi": "hi",
    "Thai": "th",
    "Korean": "ko",
    "Japanese": "ja",
    "Chinese": "zh_Hans",
    "Vietnamese": "vi",
}
SPECIAL = ["<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|start|>", "<|im_start|>user<|im_sep|>", "<|im_end|>"]
SPACES = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\x85", "\x0b", "\x0c", "\r", "    ", "\n\n"]
WORDS = ["it's", "WE'LL", "don'T", "x'ſ", "I'Ve", "o'reilly", "'re", "Ünïcode", "naïve", "ǅungla", "ªº", "straße", "ʼn", "x̂y"]
PLANES = [(0, 0x80), (0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x20000, 0x110000)]


def prose(code: str) -> list[str]:
    """Returns the sentences of a language."""
    root = Path(find_spec("django").origin).parent
    texts = []
    for file in sorted(root.glob(f"**/locale/{code}/LC_MESSAGES/django.po")):
        key = "msgid" if code == "en" else "msgstr"
        text = file.read_text(encoding="utf-8")
        for found in re.finditer(rf'^{key}(?:\[0\])? ((?:"(?:[^"\\]|\\.)*"\n?)+)', text, re.MULTILINE):
            line = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found[1]))
            line = line.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
            if len(line) > 8 and "Content-Type" not in line:
                texts.append(line)
    return texts


def paragraphs(code: str, count: int, chance: random.Random) -> list[str]:
    lines = prose(code)
    return [" ".join(chance.choices(lines, k=chance.randrange(1, 12))) for _ in range(count)]


def code(count: int, chance: random.Random) -> list[str]:
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    texts = []
    while len(texts) < count:
        lines = chance.choice(files).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        start = chance.randrange(max(1, len(lines) - 60))
        texts.append("".join(lines[start : start + chance.randrange(1, 60)]))
    return texts


def emoji(chance: random.Random) -> str:
    parts = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇯🇵", "❤️", "1️⃣", "🫠"]
    parts += [chr(chance.randrange(0x1F300, 0x1FAFF)) for _ in range(20)]
    return "".join(chance.choices([*parts, " ", "ok", "!", "\n"], k=chance.randrange(1, 60)))


def characters(chance: random.Random) -> str:
    """Returns random code points: of one plane, of all, or of few that repeat."""
    first, last = chance.choice(PLANES)
    few = [chr(chance.randrange(first, last)) for _ in range(chance.randrange(1, 6))]
    kind = chance.randrange(3)
    text = []
    for _ in range(chance.randrange(1, 200)):
        if kind == 1:
            first, last = chance.choice(PLANES)
        text.append(chance.choice(few) if kind == 2 else chr(chance.randrange(first, last)))
    return re.sub("[\ud800-\udfff]", "", "".join(text))


def mixture(chance: random.Random) -> str:
    """Returns a mixture of characters on which patterns decide, next to one another."""
    marks = ["!", "'", "/", "//\r\n", "...", "-", "é", "\u0301", "Aa", "aA", "ABC", "ʰ", "漢", "ไทย", "ⅷ", "١٢٣٤", "1234567", "²"]
    choices = [*SPACES, *WORDS, *marks, *SPECIAL]
    return "".join(chance.choices(choices, k=chance.randrange(1, 80)))


def spaces(chance: random.Random) -> str:
    run = "".join(chance.choices(SPACES, k=chance.randrange(1, 30)))
    return chance.choice(["", "a", "!", "1"]) + run * chance.randrange(1, 9) + chance.choice(["", "b", "?", "漢"])


def long_pieces(chance: random.Random) -> str:
    """Returns thousands of letters without a split, periodic or not."""
    alphabet = chance.choice(["a", "ab", "abcdefghijklmnopqrstuvwxyz", "漢字仮名", "ไทยภาษา", "аб", "=", "=-", "\u0301"])
    unit = "".join(chance.choices(alphabet, k=chance.randrange(1, 40)))
    length = chance.randrange(100, 6_000)
    if chance.random() < 0.5:
        return (unit * (length // len(unit) + 1))[:length]
    return "".join(chance.choices(alphabet, k=length))


def groups(scale: int = 1) -> dict[str, list[str]]:
    """Returns samples by kind: 2,400 of them times `scale`."""
    chance = random.Random(12)
    found = {name: paragraphs(code, 60 * scale, chance) for name, code in LANGUAGES.items()}
    found["code"] = code(200 * scale, chance)
    makers = {"emoji": emoji, "characters": characters, "mixture": mixture, "spaces": spaces, "long": long_pieces}
    for name, make in makers.items():
        found[name] = [make(chance) for _ in range(240 * scale)]
    found["special"] = [f"{chance.choice(SPECIAL)}{chance.choice(SPACES)}{mixture(chance)}" for _ in range(60 * scale)]
    return found


def encoded(texts: list[str]) -> bytes:
    """Returns samples as count-tokens reads them."""
    return b"".join(b"%d\n%s" % (len(data), data) for data in (text.encode() for text in texts))


if __name__ == "__main__":
    for name, texts in groups().items():
        print(f"{name:12} {len(texts):5} {sum(len(text.encode()) for text in texts):9}", file=sys.stderr)
