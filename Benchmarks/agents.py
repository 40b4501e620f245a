"""Measures requests of agents, beside nginx that forwards the same bodies: long histories, many tools, an image, a long
response."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import prompts
import proxies
from bench import Bench, Round, Table
from processes import Program, Setup

CONNECTIONS = 16
ANSWER_BYTES = 230_000
SIZES = (20_000, 200_000)
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
AGENT = "Messages, 200 KB and 60 tools"
ROWS = ("1 KB", "20 KB in 22 messages", "200 KB in 22 messages", "60 tools (63 KB)", "a picture of 0.9 MB")
MANY = (512, 1024)  # connections
TOKENS = {"RATE_LIMIT": "1000000000000 tokens/hour"}
LONG_MODEL = "gpt-4.1"  # takes prompts of 1 MB


@dataclass(frozen=True)
class Vendor:
    """A kind of provider: the end of its base URL, the vendor's model, further settings."""

    kind: str
    path: str = ""
    model: str = prompts.MODEL
    more: tuple[tuple[str, str], ...] = ()

    def settings(self, port: int) -> dict[str, str]:
        return {
            "PROVIDER_VENDOR_KIND": self.kind,
            "PROVIDER_VENDOR_BASE_URL": f"http://127.0.0.1:{port}{self.path}",
            "PROVIDER_VENDOR_API_KEYS": "vendor-key-0123456789",
            "PROVIDER_VENDOR_MODELS": f"{prompts.MODEL}={self.model}",
            "KEY_BENCH_TOKEN": "bench-key-0123456789,bench-key-0000000000",
        } | {f"PROVIDER_VENDOR_{name}": value for name, value in self.more}


VENDORS = {
    "openai": Vendor("openai", "/v1"),
    "openai, Responses": Vendor("openai", "/v1", more=(("CHAT_VIA", "responses"),)),
    "onemin": Vendor("onemin"),
    "anthropic": Vendor("anthropic", model="claude-sonnet-4-5"),
    "gemini": Vendor("gemini", model="gemini-2.5-flash"),
    "cohere": Vendor("cohere", model="command-a-03-2025"),
    "cloudflare": Vendor("cloudflare", model="@cf/meta/llama-3.3-70b-instruct-fp8-fast", more=(("ACCOUNT_ID", "bench"),)),
}
PASSED, TRANSLATED = "openai", "onemin"


@dataclass(frozen=True)
class Request:
    """A body in a file, and where it goes to."""

    body: Path
    target: str = CHAT

    @property
    def options(self) -> tuple[str, ...]:
        return ("--body", str(self.body), "--target", self.target)


def agents(bench: Bench) -> None:
    """Measures requests of agents. A row of the first table is a request, of the second a kind of text, of the third a
    number of connections, of the fourth a surface with each vendor."""
    short = replace(bench.scale, rounds=min(5, bench.scale.rounds), round_seconds=0.5)
    bench, outcome = Bench(bench.setup, short), bench.outcome
    bench.outcome = outcome
    bodies = _bodies(bench.setup.folder)
    with _programs(bench.setup, [PASSED, TRANSLATED]) as programs:
        rows = [_row(bench, programs, title, bodies[title]) for title in ROWS]
        texts = [
            _row(bench, programs, f"{size // 1000} KB of {kind}", bodies[f"{size} {kind}"]) for size in SIZES for kind in prompts.KINDS
        ]
    with _programs(bench.setup, [PASSED, TRANSLATED], "--answer-bytes", str(ANSWER_BYTES)) as programs:
        rows.append(_row(bench, programs, f"an answer of {ANSWER_BYTES // 1000} KB", bodies["1 KB"]))
    header = ["request", "nginx us", "passed on us", "ratio", "translated us", "ratio"]
    title = f"Requests of agents: processor time, one thread, {CONNECTIONS} connections"
    outcome.tables += [Table(title, header, rows), Table("The same by the kind of text, 22 messages", header, texts)]
    outcome.tables += [_tokens(bench, bodies), _turns(bench, bodies["1 MB"])]
    outcome.tables.append(_many(bench, bodies["1 KB"]))
    surfaces = {"chat": bodies["20 KB in 22 messages"], "Responses": bodies["response"], "Messages": bodies["message"], AGENT: bodies[AGENT]}
    outcome.tables.append(_surfaces(bench, surfaces))


def _bodies(folder: Path) -> dict[str, Request]:
    made = {
        "1 KB": (prompts.short(), CHAT),
        "20 KB in 22 messages": (prompts.chat("prose", SIZES[0]), CHAT),
        "200 KB in 22 messages": (prompts.chat("prose", SIZES[1]), CHAT),
        "60 tools (63 KB)": (prompts.tools(), CHAT),
        "a picture of 0.9 MB": (prompts.picture(), CHAT),
        "1 MB": (prompts.chat("prose", 1_000_000), CHAT),
        "response": (prompts.response(), RESPONSES),
        "message": (prompts.message(), MESSAGES),
        AGENT: (prompts.message("prose", SIZES[1], tools=prompts.message_tools()), MESSAGES),
    } | {f"{size} {kind}": (prompts.chat(kind, size), CHAT) for size in SIZES for kind in prompts.KINDS}
    requests = {}
    for number, (name, (body, target)) in enumerate(made.items()):
        path = folder / f"body-{number}.json"
        path.write_bytes(body)
        requests[name] = Request(path, target)
    return requests


@contextmanager
def _programs(setup: Setup, vendors: list[str], *options: str) -> Iterator[list[Program]]:
    """nginx and a relay for each of the vendors, all before the same vendor."""
    with ExitStack() as stack:
        upstream = stack.enter_context(setup.upstream(*options))
        nginx = stack.enter_context(proxies.nginx(setup, upstream.whole_port, 1))
        nginx.dialect = "openai"
        relays = [
            stack.enter_context(setup.start_relay(upstream.whole_port, 1, name, VENDORS[name].settings(upstream.whole_port)))
            for name in vendors
        ]
        yield [nginx, *relays]


def _row(bench: Bench, programs: list[Program], title: str, request: Request) -> list[str]:
    taken = bench.interleave(programs, "whole", CONNECTIONS, *request.options)
    row = [title, f"{median(each.processor for each in taken['nginx']):.0f}"]
    for name, way in ((PASSED, "passed on"), (TRANSLATED, "translated")):
        ratio = _ratio(taken, name)
        row += [f"{median(each.processor for each in taken[name]):.0f}", f"{ratio:.2f}"]
        bench.outcome.figures[f"{title}, {way}"] = ratio
    return row


def _ratio(taken: dict[str, list[Round]], name: str) -> float:
    return median(one.processor / other.processor for one, other in zip(taken[name], taken["nginx"], strict=True))


def _tokens(bench: Bench, bodies: dict[str, Request]) -> Table:
    """Returns what a limit on tokens costs beside one on requests, when the vendor reports its usage."""
    rows = []
    with ExitStack() as stack:
        port = stack.enter_context(bench.setup.upstream()).whole_port
        programs = [
            stack.enter_context(bench.setup.start_relay(port, 1, f"{vendor}, {limit}", VENDORS[vendor].settings(port) | own))
            for vendor in (PASSED, TRANSLATED)
            for limit, own in (("requests", {}), ("tokens", TOKENS))
        ]
        for title in ROWS[:3]:
            taken = bench.interleave(programs, "whole", CONNECTIONS, *bodies[title].options)
            row = [title]
            for vendor in (PASSED, TRANSLATED):
                pairs = zip(taken[f"{vendor}, tokens"], taken[f"{vendor}, requests"], strict=True)
                ratio = median(one.processor / other.processor for one, other in pairs)
                row.append(f"{ratio:.2f}")
                bench.outcome.figures["tokens"] = max(ratio, bench.outcome.figures.get("tokens", 0))
            rows.append(row)
    return Table("A limit on tokens / one on requests, processor time", ["request", "passed on", "translated"], rows)


def _turns(bench: Bench, request: Request) -> Table:
    """Returns the longest turn of the event loop while prompts of 1 MB come, as the relay reports it: the least of five
    relays. A turn also has the time in which the kernel let another program run, 3 ms at a time: the load, the vendor and
    the relay's worker thread share two cores with the loop."""
    rows = []
    for limit, own in (("requests", {}), ("tokens", TOKENS)):
        for vendor in (PASSED, TRANSLATED):
            longest = min(_longest_turn(bench, vendor, own, request) for _ in range(5))
            bench.outcome.figures["longest turn ms"] = max(longest, bench.outcome.figures.get("longest turn ms", 0))
            rows.append([f"{vendor}, a limit on {limit}", f"{longest:.1f}"])
    return Table("Longest turn of the event loop beside prompts of 1 MB", ["", "ms"], rows)


def _longest_turn(bench: Bench, vendor: str, own: dict[str, str], request: Request) -> float:
    with bench.setup.upstream() as upstream:
        settings = replace(VENDORS[vendor], model=LONG_MODEL).settings(upstream.whole_port) | own
        with bench.setup.start_relay(upstream.whole_port, 1, own=settings) as relay:
            bench.load(relay, "whole", 4, 1, -1, *request.options)
            return relay.longest_turn_ms()


def _many(bench: Bench, request: Request) -> Table:
    """Measures whole responses and streams for many clients at once, with and without TLS to the vendor, and the upstream
    connections that each request opened."""
    rows, figures = [], bench.outcome.figures
    with ExitStack() as stack:
        upstream = stack.enter_context(bench.setup.upstream())
        front = stack.enter_context(proxies.tls_front(bench.setup, upstream.whole_port, 3 * MANY[-1] + 512))
        for scheme, end, counter in (("http", "", upstream), ("https", " behind TLS", front)):
            with _beside_nginx(bench.setup, scheme, counter, upstream) as programs:
                bench.vendor = counter
                for kind in ("whole", "stream"):
                    for count in MANY:
                        taken = bench.interleave(programs, kind, count, *(request.options if kind == "whole" else ()))
                        ratio, opened = _ratio(taken, "relay"), median(each.opened for each in taken["relay"])
                        figures[f"{kind} at {count}{end}"], figures["opened"] = ratio, max(opened, figures.get("opened", 0))
                        costs = (f"{median(each.processor for each in taken[name]):.0f}" for name in ("nginx", "relay"))
                        rows.append([f"{kind}, {count:,} connections{end}", *costs, f"{ratio:.2f}", f"{opened:.4f}"])
                bench.vendor = None
    return Table("1 KB passed on, many clients", ["", "nginx us", "relay us", "ratio", "opened for a request"], rows)


@contextmanager
def _beside_nginx(setup: Setup, scheme: str, counter: Program | proxies.Front, upstream: Program) -> Iterator[list[Program]]:
    """nginx and a relay before the vendor at the counter's port."""
    port, more = upstream.whole_port, {}
    if isinstance(counter, proxies.Front):
        port, more = counter.port, {"SSL_CERT_FILE": str(counter.certificate)}
    own = VENDORS[PASSED].settings(port) | {"PROVIDER_VENDOR_BASE_URL": f"{scheme}://127.0.0.1:{port}/v1"} | more
    with (
        proxies.nginx(setup, port, 1, 3 * MANY[-1] + 512, scheme=scheme) as nginx,
        setup.start_relay(upstream.whole_port, 1, own=own) as relay,
    ):
        nginx.dialect = "openai"
        yield [nginx, relay]


def _surfaces(bench: Bench, surfaces: dict[str, Request]) -> Table:
    """Returns the ratios to nginx, which forwards the surface's own body to a vendor of that surface."""
    rows = []
    with _programs(bench.setup, list(VENDORS)) as programs:
        nginx = programs[0]
        for surface, request in surfaces.items():
            # nginx passes the caller's header on, and Anthropic's wire has another one.
            nginx.dialect = "anthropic" if request.target == MESSAGES else "openai"
            taken = bench.interleave(programs, "whole", CONNECTIONS, *request.options)
            if surface == AGENT:
                bench.outcome.figures[f"{AGENT}, passed on"] = _ratio(taken, "anthropic")
            rows.append([surface, f"{median(each.processor for each in taken['nginx']):.0f}", *(f"{_ratio(taken, name):.2f}" for name in VENDORS)])
    return Table("20 KB of prose, and an agent's request, by surface and vendor's kind: relay / nginx", ["surface", "nginx us", *VENDORS], rows)
