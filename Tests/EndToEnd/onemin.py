"""A strict fake of 1min.ai, for tests.

    python onemin.py --port 0        prints its port, and that of its asset host, on standard output; serves until it
                                     is ended

Requests are checked against the vendor's documentation (`onemin_rules`); whatever it does not name is recorded as a
violation. An API key answers by the scenarios that were set for it, and by default with a deterministic text. Keys
that begin with `bad` are unknown to the vendor. Bytes on the wire are controlled exactly: pieces, delays, cuts, stalls.

Control, JSON over the same port:

    POST /__control/scenarios  {"KEY": [SCENARIO, ...], ...}     each request takes the next, the last one stays
    POST /__control/release    {"key": KEY}                      lets the stalled requests of KEY go on
    POST /__control/violations                                   -> [{"key", "request", "text"}], and forgets them
    GET  /__control/requests?key=KEY                             -> [REQUEST] of all paths
    GET  /__control/events?key=KEY&event=NAME&count=1&timeout=5  -> [EVENT]; waits until there are `count` of NAME
                                                                 (408 and the same list if it comes to nothing)
    GET  /__control/checks?key=KEY&status=500                    GET /api/results/{uuid} of KEY answers so
    GET  /__control/uploads?key=KEY                              -> what was uploaded, with digest, if not large with content
    POST /__control/forget     {"key": KEY}                      uploads of KEY are gone
    GET  /__control/results?key=KEY                              -> what was made, with content
    POST /__control/models     {"status": 500} | {"text": BODY} | {"only": {TYPE: [MODEL]}} | {}    what GET /models answers

REQUEST: {"number", "connection", "at", "method", "path", "query", "headers", "body", "violations"}
EVENT:   {"event", "connection", "request", "at", "sent"}: `opened`, `request`, `first_byte`, `stalled`, `finished`,
         `cut`, `client_closed` (before the answer was out); of uploads also `upload_began` (some of its body has
         come), `held`, `upload_cut` (the client left in its midst, `sent` = body bytes that had come); `sent` = body bytes written; `at` = CLOCK_MONOTONIC seconds.

Uploads take the scenarios that were set for `upload:KEY`, reads at the asset host those for `asset:KEY`. 
SCENARIO, all optional:
    status, headers            of the answer
    json | text | body64       the whole body: JSON, HTML text, raw bytes (as text/event-stream)
    answer                     the text; deltas: the portions in which it is streamed
    acts                       true: answers as `onemin_acting` does; steps: answers, in the order of their marks
    result_object, metadata    in the record; record: laid over it; small: a record with little in it
    finish                     the reason in the record's metadata; null: there is none
    uncounted                  true: all counts of the metadata are zero
    events                     [[name or null, object or string], ...] instead of the usual events
    without                    names of events left out; repeat: a last content event with the whole text
    progress                   number of web-search progress lines in front
    stream_as                  "record": plain JSON although a stream was asked for
    line_end, space, comments  how events are written; ascii: JSON with \\u escapes
    framing                    "chunked" (streams), "length" (others), "close"
    split                      "bytes", or positions in the body: its portions, each a chunk and a write of its own
    delay_head, delay_first, delay_between     seconds: before the head, the first portion, each other portion
    results                    how many images are made; content64, kind: what each is, and its content type
    unsigned_status            of reads at the asset host without a signature; signed: false: no signed address
    absolute                   results are addresses; bare: the result is a string; binary: audio in place of a record
    made_as                    the format in which is spoken, whatever was asked for
    hold_at                    of uploads: no more than that many bytes of the body are read until released
    answer_at                  of uploads: answered after that many bytes of the body
    stall_at                   stops after that many body bytes (-1: before the head) until released
    cut_at                     ends the connection after that many body bytes (-1: before the head);
    cut_how                    "fin" or "rst"; terminator: the last chunk is sent all the same
"""

import argparse
import asyncio
import json
import signal
import socket
import struct
import time
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import onemin_assets as assets
import onemin_media as media
import onemin_replies as replies
import onemin_rules as rules

HEAD_LIMIT = 65536
BODY_LIMIT = 64 << 20
REASONS = {200: "OK", 201: "Created", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
UNKNOWN_KEY = rules.Refusal(401, {"errorCode": "HTTP_EXCEPTION", "message": "API Key has been deleted"})
INACTIVE_KEY = rules.Refusal(401, {"errorCode": "HTTP_EXCEPTION", "message": "API Key is not active. Please activate it first."})


class ClientGone(Exception):
    """The client closed, or half-closed, its connection."""


class BadRequest(Exception):
    """Bytes that are not an HTTP/1.1 request."""


class Peer(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, vendor: "Vendor", *, is_asset_host: bool = False) -> None:
        self.vendor = vendor
        self.is_asset_host = is_asset_host
        self.buffer = bytearray()
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.gone_at = 0.0
        self.number = vendor.next_connection()
        self.opened_at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.task = asyncio.get_running_loop().create_task(self.serve())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.arrived.set()

    def eof_received(self) -> None:
        self.leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave()

    def leave(self) -> None:
        if not self.gone.is_set():
            self.gone_at = time.monotonic()
            self.gone.set()
            self.arrived.set()

    async def more(self) -> None:
        if self.gone.is_set():
            raise ClientGone
        self.arrived.clear()
        await self.arrived.wait()

    async def line_end(self, mark: bytes, limit: int) -> bytes:
        """Consumes everything up to and including `mark`. Returns what precedes it."""
        while (at := self.buffer.find(mark)) < 0:
            if len(self.buffer) > limit:
                raise BadRequest
            await self.more()
        out = bytes(self.buffer[:at])
        del self.buffer[: at + len(mark)]
        return out

    async def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            await self.more()
        out = bytes(self.buffer[:count])
        del self.buffer[:count]
        return out

    async def some(self, count: int) -> bytes:
        """Returns at most `count` bytes, at least one."""
        while not self.buffer:
            await self.more()
        return await self.exactly(min(count, len(self.buffer)))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def read_request(self) -> rules.Request:
        head = (await self.line_end(b"\r\n\r\n", HEAD_LIMIT)).decode("latin-1").split("\r\n")
        method, target, version = head[0].split(" ")
        if version != "HTTP/1.1":
            raise BadRequest
        headers: dict[str, str] = {}
        twice = []
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name.lower() in headers:
                twice.append(name.lower())
            headers[name.lower()] = value.strip()
        path, _, query = target.partition("?")
        request = rules.Request(self.vendor.next_request(), self.number, time.monotonic(), method, path, query, headers, b"")
        request.violations += [f"header {name} twice" for name in twice]
        if "expect" in headers:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        intake = Intake(self, request)
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await intake.line_end(), 16):
                if not await intake.take(size):
                    break
                await intake.line_end()
            else:
                await intake.line_end()
        else:
            length = int(headers.get("content-length", "0"))
            if length > BODY_LIMIT:
                raise BadRequest
            await intake.take(length)
        request.body = bytes(intake.body)
        request.at = time.monotonic()
        return request

    async def serve(self) -> None:
        try:
            while await self.vendor.answer(self, request := await self.read_request()):
                if request.is_unread:
                    await self.drop_all()
        except (ClientGone, BadRequest, ValueError):
            pass
        finally:
            self.transport.close()

    async def drop_all(self) -> None:
        """Discards received bytes until the client leaves."""
        while True:
            self.buffer.clear()
            await self.more()

    def write(self, data: bytes) -> None:
        """Makes one write to the socket: nothing is buffered as long as the client reads."""
        if self.gone.is_set():
            raise ClientGone
        self.transport.write(data)

    async def pause(self, seconds: float) -> None:
        """Waits. A client that leaves ends the wait at once."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            try:
                await asyncio.wait_for(self.gone.wait(), seconds)
            except TimeoutError:
                pass
        if self.gone.is_set():
            raise ClientGone

    async def until(self, event: asyncio.Event) -> None:
        """Waits for `event`, or until the client leaves."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.gone.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self.gone.is_set():
            raise ClientGone

    def end(self, how: str) -> None:
        """Closes the connection by FIN, or by RST without sending what waits."""
        if how == "rst":
            option = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
            self.transport.abort()
        else:
            self.transport.close()


class Intake:
    """A receiver of one request's body, which handles uploads as the scenario says."""

    def __init__(self, peer: Peer, request: rules.Request) -> None:
        self.peer, self.request, self.body = peer, request, bytearray()
        self.is_upload = request.path == "/api/assets" and not peer.is_asset_host
        waiting = peer.vendor.scenarios.get(f"upload:{request.key}") if self.is_upload else None
        self.hold_at = waiting[0].get("hold_at") if waiting else None
        self.answer_at = waiting[0].get("answer_at") if waiting else None

    async def line_end(self) -> bytes:
        return await self.watched(self.peer.line_end(b"\r\n", 100))

    async def take(self, count: int) -> bool:
        """Reads so many bytes of the body. Returns False if what has arrived is enough for a response."""
        while count:
            if self.answer_at is not None and len(self.body) >= self.answer_at:
                self.request.is_unread = True
                return False
            if self.hold_at is not None and len(self.body) >= self.hold_at:
                await self.hold()
            data = await self.watched(self.peer.some(count))
            if self.is_upload and not self.body:
                self.peer.vendor.note(self.request, "upload_began")
            self.body += data
            count -= len(data)
        return True

    async def hold(self) -> None:
        self.hold_at = None
        vendor, key = self.peer.vendor, self.request.key
        self.peer.transport.pause_reading()
        vendor.note(self.request, "held", len(self.body))
        await vendor.release(key).wait()
        self.peer.transport.resume_reading()

    async def watched(self, what: Any) -> Any:
        try:
            return await what
        except ClientGone:
            if self.is_upload:
                self.peer.vendor.note(self.request, "upload_cut", len(self.body))
            raise


class Vendor:
    """The state of all keys."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.scenarios: dict[str, list[dict[str, Any]]] = {}
        self.checks: dict[str, int] = {}
        self.models: dict[str, Any] = {}
        self.seen: dict[str, list[rules.Request]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.violations: list[dict[str, Any]] = []
        self.assets = assets.Assets()
        self.changed = asyncio.Event()
        self.releases: dict[str, asyncio.Event] = {}

    def next_connection(self) -> int:
        self.connections += 1
        return self.connections

    def next_request(self) -> int:
        self.requests += 1
        return self.requests

    def note(self, request: rules.Request, name: str, sent: int = 0, at: float | None = None) -> None:
        happened = {
            "event": name, "connection": request.connection, "request": request.number,
            "at": time.monotonic() if at is None else at, "sent": sent,
        }  # fmt: skip
        self.events.setdefault(request.key, []).append(happened)
        self.changed.set()
        self.changed = asyncio.Event()

    async def answer(self, peer: Peer, request: rules.Request) -> bool:
        """Serves one request. Returns False if the connection is over."""
        if peer.is_asset_host:
            result, _ = self.assets.find(request.path)
            request.owner = result.key if result else ""
        elif request.path.startswith("/__control/"):
            return await self.control(peer, request)
        if not any(seen.connection == peer.number for seen in self.seen.get(request.key, ())[-1:]):
            self.note(request, "opened", at=peer.opened_at)
        self.seen.setdefault(request.key, []).append(request)
        self.note(request, "request", at=request.at)
        scenario: dict[str, Any] = {}
        try:
            scenario, reply = self.read(request) if peer.is_asset_host else self.reply(request)
        except rules.Refusal as refusal:
            reply = refused(refusal)
        finally:
            for text in request.violations:
                self.violations.append({"key": request.key, "request": request.number, "text": text})
        delivery = Delivery(self, peer, request, reply, scenario)
        try:
            return await delivery.run()
        except ClientGone:
            self.note(request, "client_closed", delivery.sent, peer.gone_at)
            return False

    def reply(self, request: rules.Request) -> tuple[dict[str, Any], replies.Reply]:
        """Returns the response. Raises rules.Refusal."""
        route = (request.method, request.path)
        if route == ("GET", "/models"):
            rules.check_headers(request, with_key=False)
            rules.check_models(request)
            return {}, self.model_list(request.query.partition("=")[2])
        rules.check_headers(request, with_key=True)
        if request.method == "GET" and request.path.startswith("/api/results/"):
            rules.check_result(request)
            if status := self.checks.get(request.key):
                return {}, plain(status, {"message": "Results are out of order"})
            self.check_key(request)
            return {}, plain(200, {"aiRecord": None})
        if route == ("POST", "/api/assets"):
            return self.upload(request)
        if route == ("POST", "/api/chat-with-ai"):
            check = self.check_chat
        elif route == ("POST", "/api/features"):
            check = self.check_feature
        else:
            request.violations.append(f"{request.method} {request.path} is not known")
            message = f"Cannot {request.method} {request.path}"
            raise rules.Refusal(404, {"message": message, "error": "Not Found", "statusCode": 404})
        if request.key in self.scenarios:
            check(request)
            scenario = self.next_scenario(request.key)
        else:
            self.check_key(request)
            check(request)
            scenario = {}
        if request.json["type"] in media.FEATURES:
            return scenario, media.reply(scenario, request, self.assets)
        streamed = request.query == "isStreaming=true"
        return scenario, replies.reply(scenario, request.json, streamed=streamed)

    def check_chat(self, request: rules.Request) -> None:
        rules.check_chat(request)
        self.assets.check_attachments(request)

    def check_feature(self, request: rules.Request) -> None:
        def check_media(request: rules.Request) -> None:
            media.check(request, self.assets)

        rules.check_feature(request, dict.fromkeys(media.FEATURES, check_media))

    def upload(self, request: rules.Request) -> tuple[dict[str, Any], replies.Reply]:
        scenario = self.own_scenario("upload", request)
        if request.is_unread:
            return scenario, stated(scenario) or plain(200, {})
        if not scenario:
            self.check_key(request)
        said = self.assets.upload(request)
        return scenario, stated(scenario) or plain(200, said)

    def read(self, request: rules.Request) -> tuple[dict[str, Any], replies.Reply]:
        """Serves a request to the asset host."""
        scenario = self.own_scenario("asset", request)
        status, kind, body = self.assets.read(request)
        pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)]
        return scenario, stated(scenario) or replies.Reply(status, {"Content-Type": kind}, pieces)

    def own_scenario(self, kind: str, request: rules.Request) -> dict[str, Any]:
        key = f"{kind}:{request.key}"
        return self.next_scenario(key) if key in self.scenarios else {}

    def model_list(self, kind: str) -> replies.Reply:
        if "text" in self.models:
            return replies.Reply(200, {"Content-Type": "application/json"}, [self.models["text"].encode("utf-8")])
        if "only" in self.models:
            return plain(200, {"models": self.models["only"].get(kind, [])})
        return plain(self.models.get("status", 200), rules.listed_models(kind))

    def check_key(self, request: rules.Request) -> None:
        if request.key.startswith("bad-inactive"):
            raise INACTIVE_KEY
        if not request.key or request.key.startswith("bad"):
            raise UNKNOWN_KEY

    def next_scenario(self, key: str) -> dict[str, Any]:
        waiting = self.scenarios[key]
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def release(self, key: str) -> asyncio.Event:
        return self.releases.setdefault(key, asyncio.Event())

    async def control(self, peer: Peer, request: rules.Request) -> bool:
        name = request.path.removeprefix("/__control/")
        query = {key: values[-1] for key, values in parse_qs(request.query).items()}
        key = query.get("key", "")
        status, out = 200, None
        if name == "scenarios":
            self.scenarios |= (new := json.loads(request.body))
            for key in new:
                if key in self.releases and self.releases[key].is_set():
                    del self.releases[key]
        elif name == "release":
            self.release(json.loads(request.body)["key"]).set()
        elif name == "violations":
            out, self.violations = self.violations, []
        elif name == "requests":
            out = [seen.seen() for seen in self.seen.get(key, [])]
        elif name == "forget":
            self.assets.forget(json.loads(request.body)["key"])
        elif name == "models":
            self.models = json.loads(request.body)
            rules.LISTED.clear()
            rules.LISTED.update(self.models.get("only", {}))
        elif name == "uploads":
            out = [upload.seen() for upload in self.assets.uploads.get(key, {}).values()]
        elif name == "results":
            out = [result.seen() for result in self.assets.results.values() if result.key == key]
        elif name == "checks":
            self.checks[key] = int(query["status"])
        elif name == "events":
            status, out = await self.awaited_events(peer, key, query)
        else:
            status = 404
        body = json.dumps(out).encode("ascii")
        peer.write(head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))}) + body)
        return True

    async def awaited_events(self, peer: Peer, key: str, query: dict[str, str]) -> tuple[int, list[dict[str, Any]]]:
        wanted, count = query.get("event"), int(query.get("count", "1"))
        ends = time.monotonic() + float(query.get("timeout", "5"))
        while wanted and sum(event["event"] == wanted for event in self.events.get(key, [])) < count:
            try:
                await asyncio.wait_for(peer.until(self.changed), ends - time.monotonic())
            except TimeoutError:
                return 408, self.events.get(key, [])
        return 200, self.events.get(key, [])


class Delivery:
    """A writer of one response, as its scenario says."""

    def __init__(self, vendor: Vendor, peer: Peer, request: rules.Request, reply: replies.Reply, scenario: dict[str, Any]) -> None:
        self.vendor, self.peer, self.request, self.reply, self.scenario = vendor, peer, request, reply, scenario
        is_stream = reply.headers.get("Content-Type", "").startswith("text/event-stream")
        self.framing = scenario.get("framing", "chunked" if is_stream else "length")
        self.stall_at: int | None = scenario.get("stall_at")
        self.cut_at: int | None = scenario.get("cut_at")
        self.sent = 0

    async def run(self) -> bool:
        """Writes the response. Returns whether the connection can serve another request. Raises ClientGone."""
        scenario, peer = self.scenario, self.peer
        await peer.pause(scenario.get("delay_head", 0))
        await self.stall_if(-1)
        if self.cut_at == -1:
            return self.cut()
        parts = replies.portions(self.reply.pieces, scenario.get("split"))
        headers = dict(self.reply.headers)
        if self.framing == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        elif self.framing == "length":
            headers["Content-Length"] = str(sum(map(len, parts)))
        else:
            headers["Connection"] = "close"
        peer.write(head(self.reply.status, headers))
        for number, part in enumerate(self.within_marks(parts)):
            if await self.at_mark():
                return self.cut()
            await peer.pause(scenario.get("delay_between" if number else "delay_first", 0))
            peer.write(b"%x\r\n%b\r\n" % (len(part), part) if self.framing == "chunked" else part)
            if peer.is_asset_host:
                await peer.until(peer.writable)
            if not number:
                self.vendor.note(self.request, "first_byte")
            self.sent += len(part)
        if await self.at_mark():
            return self.cut()
        if self.framing == "chunked":
            peer.write(b"0\r\n\r\n")
        self.vendor.note(self.request, "finished", self.sent)
        return self.framing != "close"

    def within_marks(self, parts: list[bytes]) -> list[bytes]:
        """Returns `parts`, also split where the response stalls or is cut."""
        out, at = [], 0
        for part in parts:
            edges = sorted({0, len(part)} | {m - at for m in (self.stall_at, self.cut_at) if m and 0 < m - at < len(part)})
            out += [part[low:high] for low, high in pairwise(edges)]
            at += len(part)
        return out

    async def at_mark(self) -> bool:
        """Stalls where the scenario says. Returns whether the response must be cut."""
        await self.stall_if(self.sent)
        return self.cut_at == self.sent

    async def stall_if(self, position: int) -> None:
        if self.stall_at == position:
            self.stall_at = None
            self.vendor.note(self.request, "stalled", self.sent)
            await self.peer.until(self.vendor.release(self.request.key))

    def cut(self) -> bool:
        if self.scenario.get("terminator") and self.framing == "chunked":
            self.peer.write(b"0\r\n\r\n")
            self.vendor.note(self.request, "cut", self.sent)
            return True
        self.vendor.note(self.request, "cut", self.sent)
        self.peer.end(self.scenario.get("cut_how", "fin"))
        return False


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def plain(status: int, body: Any) -> replies.Reply:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return replies.Reply(status, headers, [json.dumps(body).encode("utf-8")])


def stated(scenario: dict[str, Any]) -> replies.Reply | None:
    """Returns the response that a scenario defines itself."""
    fixed = replies.fixed_body(scenario)
    if fixed is None and "status" not in scenario:
        return None
    body, kind = fixed or (b"", "text/plain")
    return replies.Reply(scenario.get("status", 200), {"Content-Type": kind} | scenario.get("headers", {}), [body])


def refused(refusal: rules.Refusal) -> replies.Reply:
    return plain(refusal.status, refusal.body)


async def serve(port: int) -> None:
    vendor = Vendor()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(vendor), "127.0.0.1", port, backlog=1024)
    asset_host = await loop.create_server(lambda: Peer(vendor, is_asset_host=True), "127.0.0.1", 0, backlog=1024)
    asset_port = asset_host.sockets[0].getsockname()[1]
    vendor.assets.base_url = f"http://127.0.0.1:{asset_port}"
    print(server.sockets[0].getsockname()[1], asset_port, flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A strict fake of 1min.ai, for tests.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
