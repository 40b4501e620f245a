"""Capacity of calls with preparations: uploads, transcripts, downloaded images, token counts."""

import itertools
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import conftest
import parts
import pytest
from balanced import Providers, assert_apart
from chat import ask, either
from fake_server import FakeServer, Handler
from parts import text, user
from pictures import audio, picture, png
from test_vertex import PRO, settings, vertex  # noqa: F401

UPLOAD = "/api/assets"
WAV = "audio.wav", audio("mine", "wav"), "audio/wav"


def document():
    return parts.file(uuid.uuid4().hex.encode())


def asking(http, *given, streamed=False):
    assert either(http, streamed, messages=[user(text("hi"), *given)])[1] == "stop"


def edit(http):
    mask = png(8, 8, [bytes(32)] * 8, 6)
    files = {"image": ("a.png", picture("mine", 8, 8), "image/png"), "mask": ("m.png", mask, "image/png")}
    return http.post("/v1/images/edits", files=files, data={"model": "gpt-image-1", "prompt": "a hat"})


def transcribe(http):
    return http.post("/v1/audio/transcriptions", files={"file": WAV}, data={"model": "whisper-1"})


def calls(vendor, key):
    """Returns the calls of the API, from the first to the last: (time, path)."""
    return [(request["at"], request["path"]) for request in vendor.requests(key) if request["path"].startswith("/api")]


def most_at_once(vendor, key):
    begun, steps = set(), []
    api = {request["number"] for request in vendor.requests(key) if request["path"].startswith("/api")}
    for event in vendor.events(key):
        number = event["request"]
        if event["event"] == "request" and number in api:
            begun.add(number)
            steps.append((event["at"], 1))
        elif event["event"] in ("finished", "client_closed", "cut") and number in begun:
            begun.remove(number)
            steps.append((event["at"], -1))
    return max(itertools.accumulate(step for _, step in sorted(steps)))


@pytest.fixture
def alone(serve, vendor):
    """`alone(CONCURRENCY=1)`: the key of the only provider, whose models are 1min.ai's, and a client."""

    def made(queue="30s", **bounds):
        bounds = {f"PROVIDER_A_{name}": value for name, value in bounds.items()}
        providers, http = serve(a=1, PROVIDER_A_MODELS=None, QUEUE_TIMEOUT=queue, **bounds)
        (key,) = providers.keys["a"]
        for own in (key, f"upload:{key}"):
            vendor.answers(own, {"delay_head": 0.05})
        return key, http

    return made


def test_uploads_of_a_chat_take_turns_in_its_place(alone, vendor, is_streamed):
    key, http = alone("0", CONCURRENCY=1)
    asking(http, document(), document(), parts.picture(picture("mine")), streamed=is_streamed)
    assert Counter(path for _, path in calls(vendor, key))[UPLOAD] == 3
    assert most_at_once(vendor, key) == 1


def test_uploads_of_many_chats_keep_to_the_concurrency(alone, vendor):
    key, http = alone(CONCURRENCY=2)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: asking(http, document(), document()), range(6)))
    assert most_at_once(vendor, key) == 2


def test_uploads_and_the_calls_after_them_begin_as_qps_allows(alone, vendor):
    key, http = alone(QPS=4)
    vendor.answers(f"upload:{key}", *({"delay_head": wait} for wait in (1.5, 1.5, 1, 1, 0.5, 0)))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: asking(http, document()), range(6)))
    assert len(calls(vendor, key)) == 12
    assert_apart([at for at, _ in calls(vendor, key)], 4)


@pytest.mark.parametrize(
    "serve_one",
    [
        lambda http: asking(http, document()),
        lambda http: asking(http, parts.sound(WAV[1])),
        lambda http: edit(http).raise_for_status(),
        lambda http: transcribe(http).raise_for_status(),
    ],
    ids=["document", "sound", "edit", "recording"],
)
def test_a_request_waits_for_its_own_starts_without_a_queue(alone, vendor, serve_one):
    key, http = alone("0", QPS=1)
    serve_one(http)
    made = [path for _, path in calls(vendor, key)]
    assert made[0] == UPLOAD and len(made) > 1
    assert_apart([at for at, _ in calls(vendor, key)], 1)


def test_what_was_uploaded_before_takes_no_start(alone, vendor):
    key, http = alone("0", QPS=1)
    given = document()
    asking(http, given)
    time.sleep(1.1)
    before = time.monotonic()
    asking(http, given)
    _, _, (last, _) = calls(vendor, key)
    assert last - before < 0.9


def test_what_the_vendor_has_lost_is_brought_as_qps_allows(alone, vendor):
    key, http = alone(QPS=2)
    given = parts.picture(picture("mine", 3, 3))
    asking(http, given)
    vendor.forget(key)
    asking(http, given)
    assert Counter(path for _, path in calls(vendor, key))[UPLOAD] == 2
    assert_apart([at for at, _ in calls(vendor, key)], 2)


def test_uploads_of_two_instances_share_the_capacity(start_relay, launch, caller, vendor, store):
    providers = Providers(vendor, conftest.secrets.add, a=1)
    (key,) = providers.keys["a"]
    for own in (key, f"upload:{key}"):
        vendor.answers(own, {"delay_head": 0.05})
    rules = {"PROVIDER_A_CONCURRENCY": 2, "PROVIDER_A_QPS": 15, "QUEUE_TIMEOUT": 60, "MEMCACHED_SERVERS": store.address,
             "MEMCACHED_TIMEOUT": "5s"}  # fmt: skip
    clients = [caller(start(**providers.settings(**rules))) for start in (launch, start_relay)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: asking(clients[at % 2], document(), document(), streamed=at % 3 == 0), range(16)))
    assert len(calls(vendor, key)) == 48 and most_at_once(vendor, key) <= 2
    assert_apart([at for at, _ in calls(vendor, key)], 15)


def begun_apart(pool, ask_one, opened, begun):
    """Lets five requests wait for more than a second, and then opens the gate. Returns the seconds from then until the last of
    their calls came, and their statuses."""
    waiting = []
    for _ in range(5):
        waiting.append(pool.submit(ask_one))
        time.sleep(0.25)
    assert begun() == []
    at = time.monotonic()
    opened.set()
    statuses = [call.result().status_code for call in waiting]
    return max(call["at"] for call in begun()) - at, statuses


def test_calls_begin_as_qps_allows_after_pictures_were_fetched(start_relay, google, caller):
    opened = threading.Event()

    class Slow(Handler):
        def do_GET(self):  # noqa: N802
            opened.wait(20)
            self.send(200, picture("mine"))

    host = FakeServer(Slow)
    google.says("gemini-3.1-pro", {})
    relay = start_relay(
        ANONYMOUS_MODELS="all", PROVIDER_G_KIND="gemini", PROVIDER_G_BASE_URL=google.base_url + "/v1beta",
        PROVIDER_G_API_KEY=conftest.VENDOR_KEY, PROVIDER_G_QPS=4, PROVIDER_G_MODELS="pro=gemini-3.1-pro",
        QUEUE_TIMEOUT="20s", FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32",
    )  # fmt: skip
    http = caller(relay)
    address = f"{host.base_url}/a.png"
    with ThreadPoolExecutor(5) as pool:
        seconds, statuses = begun_apart(
            pool, lambda: ask(http, model="pro", messages=[user(text("hi"), parts.picture(address))]), opened,
            lambda: google.asked("gemini-3.1-pro"),
        )  # fmt: skip
    host.stop()
    # Four a second: the starts of the time in which no call could begin are lost.
    assert statuses == [200] * 5 and seconds > 0.7


def test_calls_begin_as_qps_allows_after_a_token_came(start_relay, caller, vertex):  # noqa: F811
    vertex.tokens.reset()
    vertex.says(PRO, {})
    given = settings("vertexai_gemini", vertex, MODELS=f"pro={PRO}", QPS=4)
    http = caller(start_relay(ANONYMOUS_MODELS="all", QUEUE_TIMEOUT="20s", **given))
    vertex.tokens.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        seconds, statuses = begun_apart(pool, lambda: ask(http, model="pro"), vertex.tokens.gate, lambda: vertex.asked(PRO))
    vertex.tokens.reset()
    # Four a second: the starts of the time in which no call could begin are lost.
    assert statuses == [200] * 5 and seconds > 0.7
