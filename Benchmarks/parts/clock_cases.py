"""The cases of `clocks`: the events of clocks, store and machines during a measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from late_store import Lateness


@dataclass(frozen=True)
class Limit:
    number: int
    seconds: int

    @property
    def text(self) -> str:
        return f"{self.number} per {self.seconds} seconds"


LIMITS = [Limit(60, 12), Limit(1000, 6)]
"""Each case is under both, by callers of their own, if it has no others. The second is leased."""
SHORT = (Limit(60, 6), Limit(100, 1))
MINUTE = (Limit(60, 60), Limit(1000, 60))


@dataclass(frozen=True)
class Step:
    """A step of clocks: from `at` on they are ahead by the given seconds."""

    at: float
    ahead: float
    instances: tuple[int, ...]


@dataclass(frozen=True)
class Stop:
    """An instance is stopped (SIGSTOP) for `seconds`."""

    at: float
    seconds: float
    instance: int = 0


@dataclass(frozen=True)
class Loss:
    """memcached is emptied or, with `seconds`, stopped for so long."""

    at: float
    seconds: float = 0


@dataclass(frozen=True)
class Case:
    """`ahead`: each instance's clock at its start; `starts`: when that is, at first if not said. The bound holds in
    intervals that are `shorter` than the window by so many seconds; `outages`: calls to the store take longer than
    its time-out, so that what instances admit without it is allowed beside it. `waits`: requests wait for their turn,
    up to so many seconds; then nobody is refused. `kills`: an instance ends by SIGKILL; `leavers`: clients of each instance
    that leave at random times.
    """

    name: str
    says: str
    ahead: tuple[float, ...] = (0, 0, 0, 0)
    starts: tuple[float, ...] = ()
    seconds: int = 36
    shorter: float = 0
    lateness: Lateness | None = None
    steps: tuple[Step, ...] = ()
    stops: tuple[Stop, ...] = ()
    outages: bool = False
    judges_p99: bool = False
    limits: tuple[Limit, ...] = ()
    timeout_ms: int = 250  # MEMCACHED_TIMEOUT
    older: tuple[int, ...] = ()  # instances that run the program of `--older`
    waits: int = 0  # RATE_LIMIT_WAIT
    kills: tuple[Stop, ...] = ()
    losses: tuple[Loss, ...] = ()
    leavers: int = 0

    @property
    def instances(self) -> int:
        return len(self.ahead)

    def bound(self, limit: Limit) -> int:
        """The excess without the store: the mean, over the instances, of what each had not yet seen of the others'
        units, at most all but its own, and one unit an instance."""
        if not self.outages:
            return limit.number
        return limit.number + limit.number * (self.instances - 1) // self.instances + self.instances


ALL = (0, 1, 2, 3)
UP_TO_120 = Lateness(1, 0, 120)
STOPS = (Stop(5, 1), Stop(13, 3), Stop(27, 10))


def _steps(name: str, seconds: float, instances: tuple[int, ...]) -> Case:
    """Returns steps forward and back to right, and back and forward to right."""
    who = "all clocks" if len(instances) > 1 else "one clock"
    steps = (Step(8, seconds, instances), Step(21, 0, instances), Step(34, -seconds, instances), Step(47, 0, instances))
    says = f"{who} set by {name.partition('-')[0]}, forward and back"
    return Case(f"step-{name}", says, seconds=60, shorter=seconds if seconds <= 3 else 3, steps=steps)


CASES = [
    Case("apart", "clocks 40 s apart", ahead=(20, -20, 0, 0), shorter=3),
    _steps("2s-one", 2, (0,)),
    _steps("2s-all", 2, ALL),
    _steps("10s-one", 10, (0,)),
    _steps("10s-all", 10, ALL),
    _steps("1h-one", 3600, (0,)),
    _steps("1h-all", 3600, ALL),
    Case("late", "answers up to 120 ms late", seconds=48, lateness=UP_TO_120, judges_p99=True),
    Case("late-eight", "the same, eight instances", ahead=(0,) * 8, seconds=48, lateness=UP_TO_120),
    Case("tenth-200", "one answer in ten 200 ms late", seconds=48, lateness=Lateness(0.1, 200, 200)),
    Case("tenth-300", "one answer in ten 300 ms late", seconds=48, lateness=Lateness(0.1, 300, 300), outages=True),
    *(
        Case(
            f"{windows}-{name}-{count}", f"{says}, {count} instances, windows of {text}", (0,) * count, seconds=seconds,
            lateness=lateness, limits=limits, timeout_ms=500,
        )
        for windows, text, seconds, limits in (("short", "1 and 6 s", 30, SHORT), ("minute", "a minute", 120, MINUTE))
        for name, says, lateness in (
            ("tenth", "one answer in ten 200 ms late", Lateness(0.1, 200, 200)), ("all", "answers up to 120 ms late", UP_TO_120),
        )
        for count in (4, 8)
    ),  # fmt: skip
    *(
        replace(case, name=f"wait-{case.name}", says=f"callers wait: {case.says}", waits=60)
        for case in (
            Case("crowd", "nothing fails", seconds=48),
            Case("kill", "one of four is killed", seconds=48, kills=(Stop(13, 0),)),
            Case("stop", "one stopped for 10 s", seconds=48, stops=(Stop(13, 10),)),
            Case("flush", "memcached is emptied", seconds=48, losses=(Loss(13),)),
            Case("away", "memcached is stopped for 10 s", seconds=60, losses=(Loss(13, 10),), outages=True),
            Case("1s-one", "one clock set by 1 s, forward and back", seconds=48, shorter=1, steps=(Step(8, 1, (0,)), Step(21, 0, (0,)))),
            Case("leave", "clients leave at random times", seconds=48, leavers=12),
        )
    ),  # fmt: skip
    Case("versions", "two of another version", seconds=60, older=(1, 3)),
    Case("stop", "one stopped for 1, 3, 10 s", seconds=48, stops=STOPS),
    Case("stop-late", "the same, answers up to 120 ms late", seconds=48, lateness=UP_TO_120, stops=STOPS),
    Case("eight", "eight instances", ahead=(0,) * 8),
    Case("one-by-one", "started 3 s apart", starts=(0, 3, 6, 9)),
    Case("alone", "one alone, 20 s ahead, a second after 30 s", ahead=(20, 0), starts=(0, 30), seconds=60, shorter=3),
]
