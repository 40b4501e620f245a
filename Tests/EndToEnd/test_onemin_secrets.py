"""Errors of 1min.ai that contain secrets, and callers' own keys, which must not affect others."""

import json
import random
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import CHAT_PATH, ask
from onemin_rules import CATALOGUE

BODIES = 500
SEED = 20261124
WORDS = "The size does not match what this model allows so please choose another one".split()


class Planter:
    """A generator of random error bodies with `marker` wherever it must not leak."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.marker = "".join(self.random.choices(string.ascii_letters, k=64))

    def words(self):
        text = " ".join(self.random.choices(WORDS, k=self.random.randint(1, 12)))
        kinds = ["", f" (https://models.example/{self.marker}?key={self.marker})", f" id req_{self.marker}", f" request {self.marker}"]
        return text + self.random.choice(kinds)

    def private(self, depth=0):
        """Returns a value of `request`, such as headers, nested."""
        choice = self.random.randint(0, 5 if depth < 4 else 2)
        if choice == 0:
            return f"Bearer {self.marker}"
        if choice == 1:
            return f"https://host.example/{self.marker}/x"
        if choice == 2:
            return self.marker
        if choice == 3:
            return [self.private(depth + 1) for _ in range(2)]
        inner = {name: self.private(depth + 1) for name in ("url", "authorization", "id", "data", "config", "message")}
        return self.perhaps_text(self.shuffled(inner))

    def shuffled(self, value):
        items = list(value.items())
        self.random.shuffle(items)
        return dict(items)

    def perhaps_text(self, value):
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            value = json.dumps(value)
        return value

    def data(self):
        said = {"code": "InvalidParameter", "message": self.words(), "request_id": self.marker, "id": self.marker, "url": self.private(3)}
        kinds = [said, {"error": said, "requestId": self.marker}, [{"error": said}], {"error": self.perhaps_text({"error": said})}, self.marker]
        return self.perhaps_text(self.random.choice(kinds))

    def details(self):
        response = {
            "status": self.random.choice([400, 400, "400", 401, 404, 413, 429, 500, 503, None, -1, 1e30]), "data": self.data(),
            "headers": {"x-request-id": self.marker, "retry-after": self.marker}, "config": self.private(), "request": self.private(),
        }  # fmt: skip
        external = {"response": self.shuffled(response), "request": self.private(), "headers": self.private(), "id": self.marker}
        fields = [{"field": self.random.choice(["quality", "prompt", self.marker, 7]), "message": self.words(), "id": self.marker}]
        return self.perhaps_text(self.random.choice([self.shuffled(external), fields, self.private()]))

    def body(self):
        codes = ["EXTERNAL_API_RESPONSE_WITH_ERROR"] * 4 + ["MISSING_REQUIRED_FIELDS", "UNSUPPORTED_MODEL", "OTHER", self.marker, None]
        whole = {
            "errorCode": self.random.choice(codes), "message": self.random.choice([self.words(), [self.words()], self.perhaps_text(self.private())]),
            "details": self.details(), "request": self.private(), "headers": self.private(), "requestId": self.marker,
        }  # fmt: skip
        if self.random.random() < 0.2:
            whole = {"success": False, "error": self.shuffled(whole), "request": self.private()}
        text = json.dumps(self.shuffled(whole), ensure_ascii=self.random.random() < 0.5)
        return text[: self.random.randint(1, len(text))] if self.random.random() < 0.25 else text


def test_nothing_of_an_error_gets_out(start_relay, vendor, new_key, caller, tmp_path):
    """Fields are shuffled, nested, cut, and written as strings in strings."""
    planter = Planter(SEED)
    records = tmp_path / "records.jsonl"
    relay = start_relay(USAGE_LOG_FILE=str(records), LOG_LEVEL="debug")
    keys = [new_key() for _ in range(BODIES)]
    scenarios = {}
    for key in keys:
        status = planter.random.choice([400] * 8 + [401, 403, 404, 422, 429, 500, 200, 200])
        headers = {"X-Request-Id": planter.marker, "Content-Type": planter.random.choice(["application/json", "text/plain"])}
        body = planter.body()
        scenario = {"status": status, "text": body, "headers": headers}
        if status == 200 and planter.random.random() < 0.5:
            scenario = {"events": [["error", body]]}
        scenarios[key] = [scenario]
    vendor.answers_all(scenarios)

    def send(part):
        http, told = caller(relay, keys[part]), []
        for at, key in enumerate(keys[part::4]):
            http.headers["Authorization"] = f"Bearer {key}"
            kind = at % 4
            if kind == 0:
                answer = http.post("/v1/images/generations", json={"model": "dall-e-2", "prompt": "a"})
            elif kind == 1:
                answer = http.post(
                    "/v1/messages", json={"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]},
                    headers={"anthropic-version": "2023-06-01"},
                )  # fmt: skip
            else:
                answer = ask(http, model="gpt-4o-mini", stream=kind == 2)
            told.append(f"{answer.headers!r}{answer.text}")
        return told

    with ThreadPoolExecutor(4) as pool:
        told = [text for texts in pool.map(send, range(4)) for text in texts]
    relay.stop()
    assert len(told) == BODIES
    found = [text for text in [*told, relay.text(), records.read_text()] if planter.marker in text or planter.marker[:24] in text]
    assert not found, found[0][:600]
    assert any("does not match" in text or "model allows" in text for text in told), "reasons are told in words"
    vendor.take_violations()


def features(model):
    names = CATALOGUE[model]["features"]
    if "chat" in names or "code" in names:
        yield "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "a"}]}
    if "image" in names:
        yield "/v1/images/generations", {"model": model, "prompt": "a cat"}
    if "text_to_speech" in names:
        yield "/v1/audio/speech", {"model": model, "input": "a", "voice": "echo"}


@pytest.fixture
def mixed(start_relay, vendor, new_key):
    """A relay with a key of its own and callers' own keys at the same vendor."""
    key = new_key()
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, PROVIDER_B_KIND="onemin", PROVIDER_B_PASSTHROUGH="true",
        KEY_ANN_TOKEN="token-of-a-known-one", RATE_LIMIT_FAILED_AUTH="off",
    )  # fmt: skip
    return relay, key


def test_own_keys_change_nothing_for_others(mixed, vendor, new_key, caller):
    """Invented keys, keys without credits, and keys for which no model is supported, for every model and feature."""
    relay, _ = mixed
    known, rich = caller(relay, "token-of-a-known-one"), caller(relay, new_key())
    vendor.answers(rich.headers["authorization"].removeprefix("Bearer "), {})

    def state():
        lists = [http.get("/v1/models").json() for http in (known, rich)]
        answers = [ask(http, model=model).json()["choices"][0]["message"]["content"] for http in (known, rich) for model in ("gpt-4o", "o3")]
        return lists, answers

    before = state()
    calls = [call for model in CATALOGUE for call in features(model)]
    refusals = [
        {"status": 401, "json": {"errorCode": "HTTP_EXCEPTION", "message": "API Key has been deleted"}},
        {"status": 406, "json": {"errorCode": "INSUFFICIENT_CREDITS", "message": "The feature requires 105 credits"}},
        {"status": 400, "json": {"errorCode": "UNSUPPORTED_MODEL", "message": "Model x is not supported"}},
        {"status": 400, "json": {"errorCode": "EXTERNAL_API_RESPONSE_WITH_ERROR", "message": "busy", "details": '{"response":{"status":429}}'}},
    ]  # fmt: skip
    keys = [new_key() for _ in range(8)]
    vendor.answers_all({key: [refusals[at % 4]] for at, key in enumerate(keys)})
    wanted = [(keys[at % 8], *calls[at % len(calls)]) for at in range(1_000)]

    def send(part):
        clients = {key: caller(relay, key) for key in keys}
        return {clients[key].post(path, json=fields).status_code for key, path, fields in wanted[part::4]}

    with ThreadPoolExecutor(4) as pool:
        statuses = set().union(*pool.map(send, range(4)))
    assert not statuses & {200, 500, 502, 503}, statuses
    assert state() == before
    assert vendor.requests(keys[2], CHAT_PATH)
