"""Prompts of agents: long histories of code, prose, Chinese and JSON, many tools, an image. The bytes are the same in
each run."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from pictures import png

MESSAGES = 22
MODEL = "gpt-4o-mini"
WORDS = (
    "the of and to in a is that it was for on are with as be this at by from or have an they which one you were all her she there"
    " would their we him been has when who will no more if out so up said what its about than into them can only other time new some"
    " could these two may first then do any like my now over such our man me even most made after also did many off before must well"
    " back through years where much your way down should because long each just state those people too little good world make very"
    " year still see own work men day get here old between both life being under three never know same last another while us might"
    " great go come since against right came take used himself few house American use place during high without again home around"
    " small however found mrs part school thought went say general once upon every left war does got united number hand course water"
).split()
NAMES = "user order item total count index result value entry config request response handler stream buffer parser token limit".split()
VERBS = "load read write parse build merge check update remove find count send receive validate compute".split()
HAN = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现"
    "当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重"
)


def code(chance: random.Random) -> Iterator[str]:
    while True:
        verb, name, other, third = chance.choice(VERBS), *chance.sample(NAMES, 3)
        yield (
            f"def {verb}_{name}({other}: list[str], {third}_bytes: int = {chance.randrange(4096)}) -> dict[str, int]:\n"
            f'    """{verb.title()}s the {name} of each {other}."""\n    {name}s = {{}}\n'
            f"    for index, {other}_{name} in enumerate({other}):\n        if len({other}_{name}) > {third}_bytes:\n"
            f'            raise ValueError(f"{name} {{index}} is too long: {{len({other}_{name})}}")\n'
            f"        {name}s[{other}_{name}.strip()] = index * {chance.randrange(100)}\n    return {name}s\n\n\n"
        )


def prose(chance: random.Random) -> Iterator[str]:
    while True:
        words = [chance.choice(WORDS) for _ in range(chance.randrange(6, 22))]
        if len(words) > 12:
            words[len(words) // 2] += ","
        yield " ".join(words).capitalize() + chance.choice([". ", ". ", "? ", ".\n\n"])


def chinese(chance: random.Random) -> Iterator[str]:
    while True:
        yield "".join(chance.choice(HAN) for _ in range(chance.randrange(5, 18))) + chance.choice("，，。。；？\n")


def records(chance: random.Random) -> Iterator[str]:
    while True:
        name, other = chance.sample(NAMES, 2)
        record = {
            "id": f"{chance.getrandbits(64):016x}", name: chance.randrange(10**6), f"{other}_at": f"2026-01-{chance.randrange(1, 29):02}T08:00:00Z",
            "path": f"/srv/{name}/{other}/{chance.randrange(1000)}.json", "ratio": round(chance.random(), 4), "is_new": chance.random() < 0.5,
            "tags": chance.sample(WORDS, 3),
        }
        yield json.dumps(record) + "\n"


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {"code": code, "prose": prose, "Chinese": chinese, "JSON": records}


def turns(kind: str, size: int) -> list[tuple[str, str]]:
    """Returns roles and texts of a history whose chat has about so many bytes as JSON."""
    texts = KINDS[kind](random.Random(f"{kind} {size}"))
    room = size // MESSAGES
    found = []
    for number in range(MESSAGES):
        text = ""
        while len(written(text)) < room - 40:
            text += next(texts)
        found.append(("system" if number == 0 else "user" if number % 2 else "assistant", text))
    return found


def chat(kind: str = "prose", size: int = 20_000, **more: Any) -> bytes:
    messages = [{"role": role, "content": text} for role, text in turns(kind, size)]
    return written({"model": MODEL, "messages": messages, "temperature": 0.5} | more)


def response(kind: str = "prose", size: int = 20_000) -> bytes:
    (_, instructions), *others = turns(kind, size)
    items = [{"role": role, "content": text} for role, text in others]
    return written({"model": MODEL, "instructions": instructions, "input": items, "temperature": 0.5, "store": False})


def message(kind: str = "prose", size: int = 20_000, **more: Any) -> bytes:
    (_, system), *others = turns(kind, size)
    messages = [{"role": role, "content": text} for role, text in others]
    return written({"model": MODEL, "max_tokens": 1_000, "system": system, "messages": messages, "temperature": 0.5} | more)


def short(size: int = 1_000) -> bytes:
    content = next(prose(random.Random("short")))
    while len(content) < size - 150:
        content += " and some more"
    return written({"model": MODEL, "messages": [{"role": "user", "content": content}], "temperature": 0.5})


def functions(count: int = 60, size: int = 63_000) -> list[dict[str, Any]]:
    """Returns so many functions, in OpenAI's form."""
    chance = random.Random("tools")
    sentences = prose(chance)
    offered: list[dict[str, Any]] = []
    for number in range(count):
        name, other = chance.sample(NAMES, 2)
        properties = {
            f"{name}_{index}": {"type": chance.choice(["string", "integer", "boolean"]), "description": next(sentences).strip()}
            for index in range(6)
        }
        schema = {"type": "object", "properties": properties, "required": [f"{name}_0", f"{name}_1"], "additionalProperties": False}
        function = {"name": f"{chance.choice(VERBS)}_{other}_{number}", "description": next(sentences).strip(), "parameters": schema}
        while len(written(function)) < size // count - 40:
            function["description"] += " " + next(sentences).strip()
        offered.append(function)
    return offered


def chat_tools() -> list[dict[str, Any]]:
    return [{"type": "function", "function": function} for function in functions()]


def message_tools() -> list[dict[str, Any]]:
    names = {"parameters": "input_schema"}
    return [{names.get(name, name): value for name, value in function.items()} for function in functions()]


def tools() -> bytes:
    """Returns a short chat that offers 60 tools."""
    messages = [{"role": "user", "content": "Which of these do you need?"}]
    return written({"model": MODEL, "messages": messages, "tools": chat_tools()})


def picture(size: int = 900_000) -> bytes:
    """Returns a chat with an image of noise, whose data URL has about so many bytes."""
    width = 400
    height = size * 3 // 4 // (3 * width)
    chance = random.Random("picture")
    url = "data:image/png;base64," + base64.b64encode(png(width, height, [chance.randbytes(3 * width) for _ in range(height)])).decode()
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    return written({"model": MODEL, "messages": [{"role": "user", "content": parts}], "temperature": 0.5})


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
