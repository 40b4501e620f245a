"""The capacity of providers' keys: rates and concurrency of calls, waiting, least load, affinity."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import conftest
import httpx
import pytest
from balanced import Providers, assert_apart, places
from chat import MODEL, ask, body, either, stream
from late_store import Lateness, LateStore
from limited import client as plain
from limited import metric
from memcached import wait_for
from usage import File

OK = {"answer": "served"}
HELD = {"stall_at": -1, "answer": "served"}
"""The vendor says nothing until it is released."""
FAILED = {"status": 500, "text": ""}
CHAT = "/v1/chat/completions"


@pytest.fixture
def hold(pool, vendor):
    """`hold(http, providers, "a")`: a request that is at provider a. Its result is the response, once it is
    released."""
    open_keys = set()

    def held(http, providers, name, at=0, **fields):
        key = providers.keys[name][at]
        open_keys.add(key)
        vendor.answers(key, HELD)
        before = len(vendor.events(key, "stalled"))
        answer = pool.submit(ask, http, **fields)
        vendor.wait(key, "stalled", before + 1)
        return answer

    yield held
    for key in open_keys:
        vendor.release(key)


def also(name):
    """Returns the setting that adds a model of this provider alone."""
    return {f"PROVIDER_{name.upper()}_MODELS": f"{MODEL},only-{name}={MODEL}"}


def waiting(http):
    text = http.get("/metrics").text
    return int(next(line for line in text.splitlines() if line.startswith("relay_queue_waiting ")).split()[1])


def served(answer):
    assert answer.status_code == 200, answer.text
    return True


def is_full(http):
    """Asserts the complete refusal that means no room. Returns True."""
    answer = ask(http)
    assert answer.status_code == 429, answer.text
    assert answer.json()["error"]["code"] == "rate_limit_exceeded" and answer.json()["error"]["type"] == "requests"
    assert answer.headers["retry-after"] == "1" and answer.headers["x-relay-limited-by"] == "relay"
    return True


def test_a_key_has_no_more_calls_at_once_than_its_concurrency(serve, hold, vendor):
    providers, http = serve(a=2, PROVIDER_A_CONCURRENCY=1)
    one = hold(http, providers, "a", 0)
    two = hold(http, providers, "a", 1)
    assert is_full(http)
    assert providers.counts("a") == [1, 1]
    vendor.release(providers.keys["a"][0])
    assert served(one.result())
    providers.answers("a", OK)
    assert served(ask(http))
    vendor.release(providers.keys["a"][1])
    assert served(two.result())


def assert_all_apart(vendor, keys, bound):
    for key in keys:
        assert_apart(sorted(event["at"] for event in vendor.events(key, "request") if event["request"]), bound)


def test_whichever_provider_is_free_first_serves_who_waits(serve, hold, pool, vendor):
    providers, http = serve(a=1, b=1, PROVIDER_A_CONCURRENCY=1, PROVIDER_B_CONCURRENCY=1, QUEUE_TIMEOUT=30)
    hold(http, providers, "a")
    last = hold(http, providers, "b")
    providers.answers("b", OK)
    waits = pool.submit(ask, http)
    wait_for(lambda: waiting(http) == 1)
    vendor.release(providers.keys["b"][0])
    assert served(last.result()) and served(waits.result())
    assert providers.order() == "abb"


@contextmanager
def most_at_once(vendor, keys):
    """Yields; afterwards checks that no key ever had more than two calls at the vendor."""
    yield
    for key in keys:
        steps = []
        for event in vendor.events(key):
            if event["event"] == "request" and event["request"]:
                steps.append((event["at"], 1))
            elif event["event"] in ("finished", "left"):
                steps.append((event["at"], -1))
        running = list(itertools.accumulate(step for _, step in sorted(steps)))
        assert max(running, default=0) <= 2, running


def test_two_instances_share_the_capacity_and_one_that_dies_gives_it_back(start_relay, launch, caller, pool, vendor, store):
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s", "SLOT_SECONDS": 5}
    providers = Providers(vendor, conftest.secrets.add, a=1)
    rules = {"PROVIDER_A_CONCURRENCY": 2, "PROVIDER_A_QPS": 20, "QUEUE_TIMEOUT": 60}
    relays = [start(**providers.settings(**shared, **rules)) for start in (launch, start_relay)]
    clients = [caller(relay) for relay in relays]
    (key,) = providers.keys["a"]
    vendor.answers(key, {"answer": "served", "delay_head": 0.05})
    with most_at_once(vendor, [key]):
        assert all(served(answer) for answer in pool.map(lambda at: ask(clients[at % 2]), range(40)))
        assert_all_apart(vendor, [key], 20)
    vendor.answers(key, HELD)
    before = len(vendor.events(key, "stalled"))
    lost = [pool.submit(ask, clients[0]) for _ in range(2)]
    vendor.wait(key, "stalled", before + 2)
    waits = pool.submit(ask, clients[1])
    wait_for(lambda: waiting(clients[1]) == 1)
    vendor.answers(key, OK)
    relays[0].kill()
    assert served(waits.result())
    assert all(isinstance(call.exception(), httpx.HTTPError) for call in lost)


@pytest.fixture
def two(start_relay, launch, caller, vendor, store):
    """`two(a=1, ...)`: the providers, and clients of two relays that share them."""

    def made(more, **counts):
        shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s", "SLOT_SECONDS": 60}
        providers = Providers(vendor, conftest.secrets.add, **counts)
        relays = [start(**providers.settings(**shared, **more)) for start in (launch, start_relay)]
        return providers, [caller(relay) for relay in relays]

    return made


def test_callers_wait_in_turns(start_relay, pool, vendor):
    """Many waiting calls of one caller hold one call of another for one turn, not for all of them."""
    tokens = {name: f"sk-turns-of-{name}-0123456789" for name in ("MANY", "ONE")}
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_BASE_URL=vendor.base_url, PROVIDER_A_API_KEY="key-of-turns",
        PROVIDER_A_CONCURRENCY=1, QUEUE_TIMEOUT="50s", **{f"KEY_{name}_TOKEN": token for name, token in tokens.items()},
    )  # fmt: skip
    with plain(relay) as http:

        def call(name, text):
            headers = {"Authorization": f"Bearer {tokens[name]}"}
            return http.post(CHAT, json=body(messages=[{"role": "user", "content": text}]), headers=headers)

        vendor.answers("key-of-turns", HELD)
        calls = [pool.submit(call, "MANY", "first")]
        vendor.wait("key-of-turns", "stalled")
        for number in range(12):
            calls.append(pool.submit(call, "MANY", f"many {number}"))
            wait_for(lambda number=number: waiting(http) == number + 1)
        for number in range(2):
            calls.append(pool.submit(call, "ONE", f"one {number}"))
            wait_for(lambda number=number: waiting(http) == 13 + number)
        vendor.release("key-of-turns")
        assert all(call.result().status_code == 200 for call in calls)
    order = [str(request) for request in vendor.requests("key-of-turns")]
    places = [next(at for at, sent in enumerate(order) if f"one {number}" in sent) for number in range(2)]
    assert places[0] <= 2 and places[1] <= 4, places


@pytest.mark.parametrize("queue", ["0", "50s"])
def test_what_cannot_be_counted_is_no_lack_of_capacity(serve, queue):
    down = {"MEMCACHED_SERVERS": "127.0.0.1:1", "RATE_LIMIT_STORE_DOWN": "deny", "QUEUE_TIMEOUT": queue}
    _, http = serve(a=1, PROVIDER_A_CONCURRENCY=5, **down)
    for answer in (ask(http), ask(http, stream=True)):
        error = answer.json()["error"]
        assert (answer.status_code, error["type"], error["code"]) == (503, "server_error", "overloaded")
        assert answer.headers["retry-after"] == "1" and "x-relay-limited-by" not in answer.headers
    _, http = serve(a=1, b=1, PROVIDER_A_CONCURRENCY=5, PROVIDER_B_PRIORITY=2, **down)
    assert ask(http).headers["x-relay-provider"] == "b"


def test_the_load_by_other_instances_counts(two, hold):
    bounds = {"PROVIDER_A_CONCURRENCY": 4, "PROVIDER_B_CONCURRENCY": 4, "BALANCE": "least-load"} | also("a")
    providers, (one, other) = two(bounds, a=1, b=1)
    for _ in range(3):
        hold(one, providers, "a", model="only-a")
    providers.answers("a", OK)
    for _ in range(3):
        assert served(ask(other))
    # The first shows what the other instance uses.
    assert providers.order()[-2:] == "bb"


@pytest.mark.parametrize("queue", ["0", "30s"])
def test_choices_take_turns_where_there_is_no_room_for_all(serve, is_streamed, queue):
    providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, PROVIDER_A_CONCURRENCY=2, QUEUE_TIMEOUT=queue)
    providers.answers("a", OK)
    if is_streamed:
        got = stream(http, n=3)
        assert got.is_done and [got.text(index) for index in range(3)] == ["served"] * 3, got
    else:
        answer = ask(http, n=3)
        assert served(answer)
        assert [choice["message"]["content"] for choice in answer.json()["choices"]] == ["served"] * 3
    assert providers.counts("a") == [3] and providers.counts("b") == [0]


def test_a_choice_that_was_not_asked_for_has_no_record(serve, tmp_path, is_streamed):
    file = File(tmp_path / "usage.jsonl")
    providers, http = serve(a=1, PROVIDER_A_CONCURRENCY=1, USAGE_LOG_FILE=file.path)
    cut = {"deltas": ["some ", "text "], "cut_at": 2} if is_streamed else FAILED
    providers.answers("a", cut)
    ask(http, n=3, stream=is_streamed)
    assert providers.counts("a") == [1]
    request, call = file.more(2)
    assert call["kind"] == "call" and request["request_id"] == call["request_id"]
    http.relay.stop()
    assert file.path.read_bytes().count(b"\n") == 2


def test_answers_of_several_choices_do_not_wait_for_each_other(serve, pool, is_streamed):
    """Each response has one of two slots, and needs two."""
    providers, http = serve(a=1, PROVIDER_A_CONCURRENCY=2, QUEUE_TIMEOUT="30s")
    providers.answers("a", OK | {"delay_head": 0.1})
    calls = [pool.submit(either, http, is_streamed, n=2) for _ in range(4)]
    assert [call.result() for call in calls] == [("served", "stop")] * 4
    assert providers.counts("a") == [8]


def test_choices_that_wait_for_qps_do_not_wait_for_who_waits_for_their_place(serve, pool, is_streamed):
    providers, http = serve(a=1, PROVIDER_A_CONCURRENCY=1, PROVIDER_A_QPS=2, QUEUE_TIMEOUT="30s")
    providers.answers("a", OK)
    calls = [pool.submit(either, http, is_streamed, n=3) for _ in range(2)]
    assert [call.result() for call in calls] == [("served", "stop")] * 2
    assert providers.counts("a") == [6]


def draw(http, count):
    """Requests images of a model that makes one image per call."""
    fields = {"model": "dall-e-3", "prompt": "a cat", "n": count, "response_format": "url"}
    return http.post("/v1/images/generations", json=fields)


DRAWING = {"PROVIDER_A_MODELS": "dall-e-3", "PROVIDER_B_MODELS": "dall-e-3", "PROVIDER_B_PRIORITY": 2}


@pytest.mark.parametrize("queue", ["0", "30s"])
def test_images_take_turns_where_there_is_no_room_for_all(serve, vendor, queue):
    providers, http = serve(a=1, b=1, PROVIDER_A_CONCURRENCY=2, QUEUE_TIMEOUT=queue, **DRAWING)
    providers.answers("a", {"delay_head": 0.05})
    with most_at_once(vendor, providers.keys["a"]):
        answer = draw(http, 5)
        assert served(answer) and len(answer.json()["data"]) == 5
    assert answer.headers["x-relay-provider"] == "a" and len(vendor.requests(*providers.keys["a"])) == 5
    assert served(draw(http, 1))


def test_images_that_have_no_room_are_made_elsewhere(serve, vendor):
    providers, http = serve(a=1, b=1, PROVIDER_A_QPS=0.05, **DRAWING)
    answer = draw(http, 3)
    assert served(answer) and answer.headers["x-relay-provider"] == "b"
    assert [len(vendor.requests(*providers.keys[name])) for name in "ab"] == [1, 3]


def test_images_wait_for_the_rate_that_their_request_used_up(serve, vendor):
    providers, http = serve(a=1, b=1, PROVIDER_A_QPS=2, **DRAWING)
    answer = draw(http, 4)
    assert served(answer) and len(answer.json()["data"]) == 4 and answer.headers["x-relay-provider"] == "a"
    assert len(vendor.requests(*providers.keys["a"])) == 4
    assert_all_apart(vendor, providers.keys["a"], 2)


def test_choices_wait_for_the_rate_that_their_request_used_up(serve, vendor, is_streamed):
    providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, PROVIDER_A_QPS=2)
    providers.answers("a", OK)
    assert either(http, is_streamed, n=4) == ("served", "stop")
    assert providers.counts("a") == [4] and providers.counts("b") == [0]
    assert_all_apart(vendor, providers.keys["a"], 2)


def test_who_waits_for_the_rate_of_one_key_leaves_the_others_to_others(serve):
    providers, http = serve(a=2, PROVIDER_A_QPS=1)
    providers.answers("a", OK)
    with ThreadPoolExecutor(1) as pool:
        several = pool.submit(ask, http, n=3)
        wait_for(lambda: metric(http.relay, "relay_queue_waiting") == 1)
        assert served(ask(http))
        assert served(several.result())
    assert sorted(providers.counts("a")) == [1, 3]


def test_calls_that_begin_at_once_are_spread_by_weight(serve, pool, vendor, store):
    """The store responds to none of them before all have chosen a key."""
    late = LateStore(store.port, Lateness(1, 250, 300))
    try:
        providers, http = serve(
            a=2, PROVIDER_A_KEY_WEIGHTS="2,1", PROVIDER_A_CONCURRENCY=100, THREADS=1,
            MEMCACHED_SERVERS=late.address, MEMCACHED_TIMEOUT="5s",
        )  # fmt: skip
        for key in providers.keys["a"]:
            vendor.answers(key, HELD)
        calls = [pool.submit(ask, http) for _ in range(9)]
        wait_for(lambda: sum(providers.counts("a")) == 9)
        assert providers.counts("a") == [6, 3]
        for key in providers.keys["a"]:
            vendor.release(key)
        assert all(served(call.result()) for call in calls)
    finally:
        late.stop()


def test_calls_of_one_value_keep_to_one_provider_and_key_on_all_instances(serve, caller):
    providers, http = serve(a=2, b=2, AFFINITY="prompt_cache_key,user")
    _, other = serve(providers, AFFINITY="prompt_cache_key,user")
    for value in range(40):
        for client in (http, other):
            assert served(ask(client, prompt_cache_key=f"cache {value}", user=f"user {value % 2}"))
    seen = places(providers)
    assert all(len(set(seen[at : at + 2])) == 1 for at in range(0, 80, 2))
    assert len(set(seen)) == 4
    for _ in range(4):
        assert served(ask(http, user="only a user"))
    assert len(set(places(providers)[80:])) == 1


def test_the_values_spread_by_weight(serve):
    providers, http = serve(a=1, b=1, PROVIDER_A_WEIGHT=3, AFFINITY="user")
    for value in range(200):
        assert served(ask(http, user=f"user {value}"))
    assert 120 <= Counter(providers.order())["a"] <= 180


def test_the_prefix_is_the_system_text_and_the_first_turn(serve):
    providers, http = serve(a=4, b=4, AFFINITY="prefix")
    system = {"role": "system", "content": "Be short."}
    first, more = {"role": "user", "content": "Hi"}, [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]
    assert served(ask(http, messages=[system, first])) and served(ask(http, messages=[system, first, *more]))
    assert len(set(places(providers))) == 1
    for number in range(20):
        assert served(ask(http, messages=[system, {"role": "user", "content": f"Hi {number}"}]))
    assert len(set(places(providers))) > 3
