"""Images are varied as they were made: the caller's options are remembered by the images' addresses, for a week."""

import re
import uuid

import pytest
from chat import ask, either, text_of
from conftest import memcached_of_file
from memcached import Memcached, wait_for
from pictures import picture

FEATURES = "/api/features"
WEEK = 7 * 86_400
WISHES = {"aspect_width": 3, "aspect_height": 2, "mode": "relax"}
USUAL = {"aspect_width": 1, "aspect_height": 1, "mode": "fast"}


def urls(text):
    return re.findall(r"!\[Image \d\]\((\S+)\)", text)


def last(vendor, key):
    """Returns type, shape and mode of the last call."""
    body = vendor.requests(key, FEATURES)[-1]["body"]
    prompt = body["promptObject"]
    return body["type"], {name: prompt[name] for name in (*USUAL, "size") if name in prompt}


store = memcached_of_file()


@pytest.fixture(scope="module")
def shared(store):
    return {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}


@pytest.mark.parametrize("command", ["/v2 {}", "[_V2_]"])
def test_a_chat_remembers(http, vendor, api_key, is_streamed, command):
    text, _ = either(http, is_streamed, "a cat --ar 3:2 --relax", model="midjourney")
    messages = [
        {"role": "user", "content": "a cat"}, {"role": "assistant", "content": text},
        {"role": "user", "content": command.format(urls(text)[1])},
    ]  # fmt: skip
    again, _ = either(http, is_streamed, messages=messages, model="midjourney")
    assert last(vendor, api_key) == ("IMAGE_VARIATOR", WISHES)
    # A variation is an image like any other.
    ask(http, f"/v1 {urls(again)[3]}", model="midjourney")
    assert last(vendor, api_key) == ("IMAGE_VARIATOR", WISHES)


def test_what_the_official_client_made_is_remembered(client, vendor, api_key):
    made = client.images.generate(model="midjourney", prompt="a cat --relax", n=2, size="1536x1024").data
    for image in made:
        said = image.model_extra["variation_commands"]["variation"]
        client.chat.completions.create(model="midjourney", messages=[{"role": "user", "content": said}])
        assert last(vendor, api_key) == ("IMAGE_VARIATOR", WISHES)


def test_variations_of_a_file_are_remembered(client, vendor, api_key):
    made = client.images.create_variation(model="dall-e-2", image=("a.png", picture("a")), size="256x256").data
    client.chat.completions.create(
        model="dall-e-2",
        messages=[{"role": "user", "content": made[0].model_extra["variation_commands"]["variation"]}],
    )
    assert last(vendor, api_key) == ("IMAGE_VARIATOR", {"size": "256x256"})


def test_what_does_not_fit_another_model_is_left_out(http, vendor, api_key):
    (url, *_) = urls(text_of(ask(http, "a cat --ar 3:2", model="midjourney")))
    assert ask(http, f"/v1 {url}", model="dall-e-2").status_code == 200
    assert last(vendor, api_key) == ("IMAGE_VARIATOR", {})
    (url,) = urls(text_of(ask(http, f"/v1 {url}", model="dall-e-2")))
    assert ask(http, f"/v1 {url}", model="midjourney").status_code == 200
    assert last(vendor, api_key) == ("IMAGE_VARIATOR", USUAL)


def test_others_images_are_not_known(http, vendor, api_key, new_key):
    (url, *_) = urls(text_of(ask(http, "a cat --ar 3:2 --relax", model="midjourney")))
    key = new_key()
    http.headers["Authorization"] = f"Bearer {key}"
    assert ask(http, f"/v1 {url}", model="midjourney").status_code == 200
    assert last(vendor, key) == ("IMAGE_VARIATOR", USUAL)


def test_all_instances_know_for_a_week_and_keep_nothing_that_is_secret(launch, store, shared, caller, vendor, new_key, mark):
    store.flush()
    key = new_key()
    one, other = (caller(launch(**shared), key) for _ in range(2))
    (url, *_) = urls(text_of(ask(one, f"{mark} --ar 3:2 --relax", model="midjourney")))
    wait_for(lambda: len(store.keys_of("image")) == 4)
    assert ask(other, f"/v1 {url}", model="midjourney").status_code == 200
    assert last(vendor, key) == ("IMAGE_VARIATOR", WISHES)
    kept = store.dump()
    assert not [word for word in (key, mark, url, "http", "3:2") if word.encode() in kept]
    now = store.stat("time")
    ends = [int(re.search(r"exp=(\d+)", line)[1]) for line in store.listing() if "image" in line]
    assert ends and all(WEEK - 60 <= end - now <= WEEK + 60 for end in ends)


def test_what_was_usual_costs_the_store_nothing(launch, store, shared, caller, vendor, new_key):
    store.flush()
    http = caller(launch(**shared), new_key())
    assert ask(http, "a cat", model="midjourney").status_code == 200
    assert ask(http, "a cat --ar 3:2", model="midjourney").status_code == 200
    wait_for(lambda: len(store.keys_of("image")) == 4)


def test_what_was_forgotten_is_usual(launch, store, shared, caller, vendor, new_key):
    key = new_key()
    http = caller(launch(**shared), key)
    before = set(store.keys_of("image"))
    (url, *_) = urls(text_of(ask(http, "a cat --ar 3:2 --relax", model="midjourney")))
    wait_for(lambda: len(set(store.keys_of("image")) - before) >= 4)
    store.flush()
    assert ask(http, f"/v1 {url}", model="midjourney").status_code == 200
    assert last(vendor, key) == ("IMAGE_VARIATOR", USUAL)


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x02\x02\x02\x03\x00\x02\x00", b"\x01\x09\x09\xff\xff\xff\xff", b"x" * 9999])
def test_records_that_are_odd_are_none(launch, store, shared, caller, vendor, new_key, value):
    store.flush()
    key = new_key()
    http = caller(launch(**shared), key)
    (url, *_) = urls(text_of(ask(http, "a cat --ar 3:2 --relax", model="midjourney")))
    wait_for(lambda: len(store.keys_of("image")) == 4)
    for name in store.keys_of("image"):
        store.set(name, value)
    assert ask(http, f"/v1 {url}", model="midjourney").status_code == 200
    assert last(vendor, key) == ("IMAGE_VARIATOR", USUAL)


@pytest.mark.parametrize("how", ["killed", "paused"])
def test_a_store_that_is_away_costs_nobody_an_image(start_relay, caller, vendor, new_key, how):
    """An unavailable store delays a variation by the time-out, and images not at all."""
    own = Memcached()
    try:
        key = new_key()
        http = caller(start_relay(MEMCACHED_SERVERS=own.address, MEMCACHED_TIMEOUT="100ms"), key)
        own.kill() if how == "killed" else own.pause()
        (url, *_) = urls(text_of(ask(http, "a cat --ar 3:2 --relax", model="midjourney")))
        assert ask(http, f"/v1 {url}", model="midjourney").status_code == 200
        assert last(vendor, key) == ("IMAGE_VARIATOR", USUAL)
    finally:
        own.kill()


def test_keys_of_the_relay_and_anonymous_callers(launch, vendor, caller, new_key):
    key, token = new_key(), f"sk-{uuid.uuid4().hex}"
    relay = launch(PROVIDER_OWN_KIND="onemin", PROVIDER_OWN_API_KEYS=key, KEY_ONE_TOKEN=token, ANONYMOUS_MODELS="midjourney")
    for bearer in (token, None):
        http = caller(relay, bearer)
        made = http.post("/v1/images/generations", json={"model": "midjourney", "prompt": "a cat --ar 3:2 --relax"})
        said = made.json()["data"][0]["variation_commands"]["variation"]
        assert ask(http, said, model="midjourney").status_code == 200
        assert last(vendor, key) == ("IMAGE_VARIATOR", WISHES)
