"""Messages whose vendor is silent: after ten seconds the client is pinged, and what comes later is whole."""

import threading

import anthropic
import checked
import httpx2
from test_messages import HELLO


class Waiting(threading.Thread):
    """A streamed message, read to its end; `names`: its events."""

    def __init__(self, relay, key):
        super().__init__(daemon=True)
        self.relay, self.key = relay, key
        self.pinged = threading.Event()
        self.raw = b""
        self.start()

    def run(self):
        with checked.client(httpx2, base_url=self.relay.base_url, headers={"x-api-key": self.key}, timeout=30) as http:
            with http.stream("POST", "/v1/messages", json=HELLO | {"stream": True}) as answer:
                self.status = answer.status_code
                for data in answer.iter_bytes():
                    self.raw += data
                    if b"event: ping" in self.raw:
                        self.pinged.set()

    def names(self):
        self.join(20)
        return [event.split("\n")[0].removeprefix("event: ") for event in self.raw.decode().split("\n\n") if event]


def test_a_silent_vendor(relay, vendor, new_key, claude):
    """All at once, since each takes ten seconds."""
    late = {"answer": "one two", "deltas": ["one", " two"]}
    cases = {
        "before": late | {"stall_at": -1}, "within": late | {"stall_at": 120},
        "failing": {"stall_at": -1, "status": 500, "text": ""},
    }  # fmt: skip
    keys = {name: new_key() for name in cases}
    vendor.answers_all({keys[name]: [scenario] for name, scenario in cases.items()})
    waits = {name: Waiting(relay, key) for name, key in keys.items()}
    for name, wait in waits.items():
        assert wait.pinged.wait(20), name
        vendor.release(keys[name])
    for name in ("before", "within"):
        names = waits[name].names()
        assert names[0] == "message_start" and names.count("ping") == 1 and names[-1] == "message_stop", names
    assert waits["before"].names()[1] == "ping"
    assert waits["failing"].names() == ["message_start", "ping", "error"]
    assert b'"type":"api_error"' in waits["failing"].raw


def test_a_client_that_leaves(relay, vendor, api_key):
    vendor.answers(api_key, {"answer": "one two", "deltas": ["one", " two"], "stall_at": 120})
    with checked.client(httpx2, timeout=30) as http:
        client = anthropic.Anthropic(api_key=api_key, base_url=relay.base_url, max_retries=0, http_client=http)
        with client.messages.stream(**HELLO) as stream:
            next(iter(stream))
            vendor.wait(api_key, "stalled")
    vendor.wait(api_key, "client_closed")
