"""Stored responses: who can read them, where, for how long, and what refers to them."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

from chat import MODEL, deltas_of
from responding import PATH, ROME, WEATHER, error_of, final, last_prompt, respond, result, said, text_of
from sealed import altered

KEYS = {"PROVIDER_PAID_KIND": "onemin", "KEY_A_TOKEN": "token-of-a-00001", "KEY_B_TOKEN": "token-of-b-00001"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def answers(vendor: Any, key: str, *texts: str) -> None:
    vendor.answers(key, *({"answer": text, "deltas": deltas_of(text, 5)} for text in texts))


def test_retrieve_list_and_delete(client, http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "Hi.")
    got = final(http, is_streamed, [said("user", "One"), said("assistant", "Two"), said("user", "Three")])
    assert client.responses.retrieve(got["id"]).output_text == "Hi."
    assert http.get(f"{PATH}/{got['id']}").json() == got
    items = client.responses.input_items.list(got["id"], order="asc").data
    assert [item.content[0].text for item in items] == ["One", "Two", "Three"]
    assert client.responses.delete(got["id"]) is None
    for method in ("GET", "DELETE"):
        error_of(http.request(method, f"{PATH}/{got['id']}"), 404)
    error_of(http.get(f"{PATH}/{got['id']}/input_items"), 404)
    assert error_of(respond(http, previous_response_id=got["id"]), 400)["code"] == "previous_response_not_found"


def test_pages_of_input_items(http, vendor, api_key):
    answers(vendor, api_key, "Hi.")
    path = f"{PATH}/{final(http, False, [said('user', str(n)) for n in range(25)])['id']}/input_items"

    def texts(**query: Any) -> tuple[list[str], bool]:
        got = http.get(path, params=query).json()
        return [item["content"][0]["text"] for item in got["data"]], got["has_more"]

    assert texts() == ([str(n) for n in range(24, 4, -1)], True)
    assert texts(order="asc", limit=2) == (["0", "1"], True)
    last = http.get(path).json()["last_id"]
    assert texts(after=last) == (["4", "3", "2", "1", "0"], False)
    assert error_of(http.get(path, params={"after": "msg_1"}), 400)["param"] == "after"
    assert error_of(http.get(path, params={"limit": 101}), 400)["param"] == "limit"


def test_cancel_is_for_background_responses(http, vendor, api_key):
    answers(vendor, api_key, "Hi.")
    error_of(http.post(f"{PATH}/{final(http, False)['id']}/cancel"), 400)
    error_of(http.post(f"{PATH}/resp_{'a' * 24}/cancel"), 404)


def test_events_are_of_background_responses(http, vendor, api_key):
    answers(vendor, api_key, "Hi.")
    path = f"{PATH}/{final(http, False)['id']}"
    assert error_of(http.get(path, params={"stream": "true"}), 400)["param"] == "stream"
    assert error_of(http.get(path, params={"starting_after": 3}), 400)["param"] == "starting_after"
    assert error_of(http.get(path, params={"include_obfuscation": "maybe"}), 400)["param"] == "include_obfuscation"
    assert http.get(path, params={"stream": "false", "include_obfuscation": "false", "unknown": 1}).status_code == 200
    assert http.get(path, params={"stream": "false", "include[]": "reasoning.encrypted_content"}).status_code == 200
    error_of(http.get(f"{PATH}/resp_{'a' * 24}", params={"stream": "true"}), 404)


def test_a_conversation(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "Blue.", "Round.", "Blue and round.")
    first = final(http, is_streamed, "Colour?", instructions="Only once.")
    second = final(http, is_streamed, "Shape?", previous_response_id=first["id"], model="gpt-4o")
    http.delete(f"{PATH}/{first['id']}")
    answer = http.post(PATH, json={"input": "Both?", "previous_response_id": second["id"]}).json()
    assert (text_of(answer), answer["model"], answer["previous_response_id"]) == ("Blue and round.", "gpt-4o", second["id"])
    prompt = last_prompt(vendor, api_key)
    places = [prompt.index(word) for word in ("Colour?", "Blue.", "Shape?", "Round.", "Both?")]
    assert places == sorted(places) and "Only once." not in prompt
    items = http.get(f"{PATH}/{answer['id']}/input_items", params={"order": "asc"}).json()["data"]
    assert [item["content"][0]["text"] for item in items] == ["Colour?", "Blue.", "Shape?", "Round.", "Both?"]


def test_references_to_items(http, vendor, api_key):
    answers(vendor, api_key, ROME, "Sunny.", "Yes.")
    first = final(http, False, "Rome?", tools=[WEATHER])
    (call,) = first["output"]
    user = http.get(f"{PATH}/{first['id']}/input_items").json()["data"][0]
    turns = [{"type": "item_reference", "id": user["id"]}, {"type": "item_reference", "id": call["id"]}]
    second = final(http, False, [*turns, result("Sunny", call["call_id"])])
    turns.append({"type": "item_reference", "id": second["output"][0]["id"]})
    third = final(http, False, [turns[0], turns[2], said("user", "Sure?")])
    assert text_of(third) == "Yes."
    prompt = last_prompt(vendor, api_key)
    assert prompt.index("Rome?") < prompt.index("Sunny.") < prompt.index("Sure?")
    http.delete(f"{PATH}/{first['id']}")
    http.delete(f"{PATH}/{second['id']}")
    assert error_of(respond(http, [turns[2]]), 400)["param"] == "input[0].id"


def test_pictures_are_kept_as_digests(http, vendor, api_key):
    picture = "data:image/png;base64," + PNG
    answers(vendor, api_key, "A dot.", "Black.")
    parts = [{"type": "input_image", "image_url": picture, "detail": "auto"}, {"type": "input_text", "text": "What?"}]
    first = final(http, False, [{"role": "user", "content": parts}])
    (item,) = http.get(f"{PATH}/{first['id']}/input_items").json()["data"]
    digest = urlsafe_b64encode(hashlib.sha256(picture.encode()).digest()).decode().rstrip("=")
    assert item["content"][0]["image_url"] == f"sha256:{digest}"
    final(http, False, "Which colour?", previous_response_id=first["id"])
    assert "no longer available" in last_prompt(vendor, api_key) and len(vendor.uploads(api_key)) == 1


def test_files_are_kept_by_their_ids(http, vendor, api_key):
    answers(vendor, api_key, "A text.", "Still a text.")
    upload = {"file": ("a.csv", b"a,b\n1,2\n", "text/csv")}
    file_id = http.post("/v1/files", data={"purpose": "user_data"}, files=upload).json()["id"]
    data = "data:text/plain;base64,YWJj"
    parts = [
        {"type": "input_file", "file_id": file_id}, {"type": "input_file", "filename": "b.txt", "file_data": data},
        {"type": "input_text", "text": "What?"},
    ]  # fmt: skip
    first = final(http, False, [{"role": "user", "content": parts}])
    kept = http.get(f"{PATH}/{first['id']}/input_items").json()["data"][0]["content"]
    assert kept[0]["file_id"] == file_id and kept[1]["file_data"].startswith("sha256:")
    assert text_of(final(http, False, "And?", previous_response_id=first["id"])) == "Still a text."
    prompt = last_prompt(vendor, api_key)
    assert "[File 1: a.csv]" in prompt and "no longer available: b.txt" in prompt


def test_tools_that_items_add_hold_for_later_turns(http, vendor, api_key):
    answers(vendor, api_key, "Ready.", ROME)
    added = {"type": "additional_tools", "role": "developer", "tools": [WEATHER]}
    first = final(http, False, [added, said("user", "Ready?")])
    (call,) = final(http, False, "Rome?", previous_response_id=first["id"])["output"]
    assert call["name"] == "weather"


def test_memory_holds_the_latest(start_relay, caller, vendor, new_key):
    answers(vendor, (key := new_key()), *["Hi."] * 12)
    http = caller(start_relay(**KEYS, PROVIDER_PAID_API_KEYS=key, MEMORY_MB=32), "token-of-a-00001")
    ids = [final(http, False, "a" * 490_000)["id"] for _ in range(10)]
    found = [http.get(f"{PATH}/{one}").status_code == 200 for one in ids]
    assert found[-1] and not found[0] and found == sorted(found)


def test_what_is_not_stored(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "Hi.", "Hi.", "Hi.")
    for fields in ({"store": False}, {"input": "a" * 530_000}):
        got = final(http, is_streamed, **{"input": "Hello"} | fields)
        assert got["store"] is False
        error_of(http.get(f"{PATH}/{got['id']}"), 404)


def test_too_much_in_all(http, vendor, api_key):
    answers(vendor, api_key, "Hi.", "Hi.")
    first = final(http, False, "a" * 300_000)
    second = final(http, False, "b" * 300_000, previous_response_id=first["id"])
    assert first["store"] and not second["store"]


def test_callers_have_their_own(start_relay, caller, vendor, new_key):
    answers(vendor, (key := new_key()), "Hi.", "Hi.", "Hi.")
    relay = start_relay(**KEYS, PROVIDER_PAID_API_KEYS=key)
    one, other = caller(relay, "token-of-a-00001"), caller(relay, "token-of-b-00001")
    got = final(one, False)
    compacted = one.post(f"{PATH}/compact", json={"model": MODEL, "input": "Hello"}).json()["output"][-1]
    for method in ("GET", "DELETE"):
        error_of(other.request(method, f"{PATH}/{got['id']}"), 404)
    assert error_of(respond(other, previous_response_id=got["id"]), 400)["code"] == "previous_response_not_found"
    reference = {"type": "item_reference", "id": got["output"][0]["id"]}
    assert error_of(respond(other, [reference]), 400)["param"] == "input[0].id"
    assert error_of(respond(other, [compacted]), 400)["param"] == "input[0].encrypted_content"
    assert one.get(f"{PATH}/{got['id']}").status_code == 200


def test_nobody_stores_nothing(start_relay, caller, vendor, new_key):
    answers(vendor, (key := new_key()), "Hi.", "A summary.", "Hi.")
    relay = start_relay(PROVIDER_PAID_KIND="onemin", PROVIDER_PAID_API_KEYS=key, ANONYMOUS_MODELS=MODEL)
    http = caller(relay)
    got = final(http, False)
    assert got["store"] is False
    error_of(http.get(f"{PATH}/{got['id']}"), 404)
    output = http.post(f"{PATH}/compact", json={"model": MODEL, "input": "Hello"}).json()["output"]
    assert text_of(final(http, False, output)) == "Hi."


# The shared store


def test_two_relays_and_a_restart(start_relay, caller, store, vendor, new_key):
    answers(vendor, (key := new_key()), "Blue.", "Blue, as I said.")
    settings = KEYS | {"PROVIDER_PAID_API_KEYS": key, "MEMCACHED_SERVERS": store.address}
    first, second = start_relay(**settings), start_relay(**settings)
    got = final(caller(first, "token-of-a-00001"), True, "Colour of secrets?")
    first.stop()
    assert text_of(final(caller(second, "token-of-a-00001"), False, "Again?", previous_response_id=got["id"])) == "Blue, as I said."
    # Once: memcached leaves entries that were just read out of its list.
    names = [name for name in store.keys() if name.startswith("relay:1:response:")]
    kept = store.dump()
    assert names and kept and b"Colour of secrets" not in kept and b"Blue" not in kept
    assert not [name for name in names if got["id"] in name]


def test_a_flushed_store(start_relay, caller, store, vendor, new_key):
    answers(vendor, (key := new_key()), "Blue.")
    relay = start_relay(**KEYS, PROVIDER_PAID_API_KEYS=key, MEMCACHED_SERVERS=store.address)
    http = caller(relay, "token-of-a-00001")
    got = final(http, False)
    store.flush()
    error_of(http.get(f"{PATH}/{got['id']}"), 404)
    assert error_of(respond(http, previous_response_id=got["id"]), 400)["code"] == "previous_response_not_found"


def test_a_store_that_is_away(start_relay, caller, store, vendor, new_key, is_streamed):
    answers(vendor, (key := new_key()), "Blue.", "Green.")
    relay = start_relay(**KEYS, PROVIDER_PAID_API_KEYS=key, MEMCACHED_SERVERS=store.address)
    http = caller(relay, "token-of-a-00001")
    got = final(http, False)
    store.kill()
    assert final(http, is_streamed)["store"] is False
    assert error_of(respond(http, previous_response_id=got["id"]), 503)["code"] == "store_unavailable"


def test_records_that_were_changed_are_not_used(start_relay, caller, store, vendor, new_key):
    answers(vendor, (key := new_key()), "Blue.", "Green.")
    relay = start_relay(**KEYS, PROVIDER_PAID_API_KEYS=key, MEMCACHED_SERVERS=store.address)
    http = caller(relay, "token-of-a-00001")
    one, other = final(http, False), final(http, False)
    names = [name for name in store.keys() if name.startswith("relay:1:response:")]
    first, second = (store.get(name) for name in names)
    store.set(names[0], second or b"")
    store.set(names[1], altered(first or b"!"))
    for got in (one, other):
        error_of(http.get(f"{PATH}/{got['id']}"), 404)


# Compaction


def test_compaction(http, vendor, api_key):
    answers(vendor, api_key, "They like blue.", "Blue.")
    turns = [said("user", "I like blue."), said("assistant", "Noted at length."), said("user", "Good.")]
    got = http.post(f"{PATH}/compact", json={"model": MODEL, "input": turns, "instructions": "Be brief."}).json()
    assert [item["type"] for item in got["output"]] == ["message", "message", "compaction"]
    assert "They like blue" not in json.dumps(got) and "Noted at length." in last_prompt(vendor, api_key)
    assert text_of(final(http, False, [*turns, *got["output"][2:], said("user", "Which?")])) == "Blue."
    prompt = last_prompt(vendor, api_key)
    assert "They like blue." in prompt and "I like blue." in prompt and "Noted at length." not in prompt


def test_compaction_of_a_stored_response(http, vendor, api_key):
    answers(vendor, api_key, "Blue.", "Summed up.")
    first = final(http, False, "Colour?")
    got = http.post(f"{PATH}/compact", json={"model": None, "input": [], "previous_response_id": first["id"]}).json()
    assert [item["type"] for item in got["output"]] == ["message", "compaction"]
    assert "Blue." in last_prompt(vendor, api_key)
