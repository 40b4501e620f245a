"""Records of relays in memcached, read by an independent decoder: see `Record+Encoding.swift` and
`SlotRecord.swift`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memcached import Memcached

RUN = 0x80
@dataclass(frozen=True)
class Entry:
    """A slot entry. `end`: seconds since 1970. `clock`: how far the relay's clock is ahead of the store's, if the entry
    has it."""

    instance: int
    held: int
    end: float
    clock: float | None


class Reader:
    def __init__(self, data: bytes) -> None:
        self.rest = data

    def byte(self) -> int:
        byte, self.rest = self.rest[0], self.rest[1:]
        return byte

    def word(self) -> int:
        word, self.rest = int.from_bytes(self.rest[:8], "big"), self.rest[8:]
        return word

    def number(self) -> int:
        number = 0
        while (byte := self.byte()) >= 0x80:
            number = number << 7 | byte & 127
        return number << 7 | byte


def entries(value: bytes) -> list[Entry]:
    reader = Reader(value)
    format = reader.byte()
    assert format in (2, 5), "the format of slots"
    found = []
    for _ in range(reader.number()):
        instance, held, end, clock = reader.word(), reader.number(), reader.number(), reader.number() - 1
        if format == 5:
            reader.number()  # the time since which requests of the instance wait
        seconds = None if clock < 0 else (clock // 2 if clock % 2 == 0 else -(clock + 1) // 2) / 1000
        found.append(Entry(instance, held, end / 1000, seconds))
    assert not reader.rest
    return found


def slots(store: Memcached, limit: str) -> list[Entry]:
    """Returns the entries of all callers under a limit, as `chat.concurrent.0`. A list of keys that is made while
    records are written may lack some, so keys that were seen once are kept."""
    known = store.seen.setdefault(limit, set())
    known.update(store.keys_of(limit))
    values = [store.get(key) for key in known]
    return [entry for value in values if value is not None for entry in entries(value)]


def held(store: Memcached, limit: str) -> int:
    return sum(entry.held for entry in slots(store, limit))


@dataclass(frozen=True)
class Counts:
    """The units by bucket, newest first; `leased`: units counted ahead of their use."""

    newest: int
    birth: int
    leased: int
    units: list[int]

    @property
    def total(self) -> int:
        return sum(self.units)


def counts(value: bytes) -> Counts:
    reader = Reader(value)
    if value[0] == 3:  # restored: the version and the length of its origin, and the origin itself
        reader.byte()
        reader.word()
        length = reader.number()
        reader.rest = reader.rest[length:]
    assert reader.byte() == 1, "the format of counts"
    newest, birth, leased = reader.number(), reader.word(), reader.number()
    if leased:
        reader.number()
    units: list[int] = []
    while reader.rest:
        if reader.rest[0] == RUN:
            reader.byte()
            units += [0] * reader.byte()
        else:
            units.append(reader.number())
    assert len(units) in (62, 122)
    return Counts(newest, birth, leased, units)
