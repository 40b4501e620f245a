"""Images and documents in messages and in tool results: what reaches the vendor, and at which position."""

import base64

import anthropic
import checked
import httpx2
import parts
import pytest
from chat import MODEL
from pictures import picture
from test_chat_files import PDF
from test_chat_pictures import BLIND, JPEG, fetching, host  # noqa: F401
from test_messages import HELLO, create
from test_messages_tools import WEATHER


def base64_source(data: bytes, kind: str = "image/png"):
    return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}


def image(data: bytes):
    return {"type": "image", "source": base64_source(data), "cache_control": {"type": "ephemeral"}}


def document(source, **more):
    return {"type": "document", "source": source} | more


def text(words: str):
    return {"type": "text", "text": words}


def asked(*blocks):
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def test_an_image(claude, vendor, api_key, is_streamed):  # noqa: F811
    mine = picture("mine", 20, 10)
    create(claude, is_streamed, **asked(image(mine), text("What is it?")))
    assert parts.pictures_of(vendor, api_key) == [mine]
    assert parts.call(vendor, api_key)["prompt"] == "[Image 1]\nWhat is it?"


def test_media_by_address(fetching, vendor, api_key):  # noqa: F811
    mine = picture("mine")
    with host({"/a.png": mine, "/a.pdf": PDF}) as (address, _), checked.client(httpx2, timeout=30) as http:
        client = anthropic.Anthropic(api_key=api_key, base_url=fetching.base_url, max_retries=0, http_client=http)
        shown = {"type": "image", "source": {"type": "url", "url": address + "/a.png"}}
        read = document({"type": "url", "url": address + "/a.pdf"}, title="A report")
        client.messages.create(**HELLO | asked(shown, read, text("Compare.")))
        missing = document({"type": "url", "url": address + "/missing"})
        with pytest.raises(anthropic.BadRequestError) as caught:
            client.messages.create(**HELLO | asked(missing))
    assert parts.pictures_of(vendor, api_key) == [mine]
    (upload,) = parts.files_of(vendor, api_key)
    assert (base64.b64decode(upload["data64"]), upload["type"]) == (PDF, "application/pdf")
    assert "messages[0].content[0].source.url" in caught.value.api_message and address not in caught.value.api_message


def test_addresses_that_are_not_fetched(claude, vendor, api_key):
    for url in ("http://127.0.0.1/a.pdf", "file:///etc/passwd", "ftp://a.test/a"):
        for block in (document({"type": "url", "url": url}), {"type": "image", "source": {"type": "url", "url": url}}):
            with pytest.raises(anthropic.BadRequestError):
                create(claude, False, **asked(block))
    assert not vendor.requests(api_key)


def test_a_document(claude, vendor, api_key, is_streamed):  # noqa: F811
    block = document(base64_source(PDF, "application/pdf"), title="my report", context="From 2024.")
    create(claude, is_streamed, **asked(block, text("Read it.")))
    (upload,) = parts.files_of(vendor, api_key)
    assert (base64.b64decode(upload["data64"]), upload["type"]) == (PDF, "application/pdf")
    assert parts.call(vendor, api_key)["prompt"] == "From 2024.\n[File 1: my report]\nRead it."


def test_documents_of_text(claude, vendor, api_key):
    plain = document({"type": "text", "media_type": "text/plain", "data": "one two"}, title="Notes")
    mine = picture("mine")
    inner = document({"type": "content", "content": [text("three"), image(mine)]})
    found = {"type": "search_result", "title": "Page", "source": "https://a.test", "content": [text("four")]}
    create(claude, False, **asked(plain, inner, document({"type": "content", "content": "five"}), found))
    prompt = parts.call(vendor, api_key)["prompt"]
    assert "[Document: Notes]\none two\n" in prompt and "three" in prompt and "five" in prompt
    assert "Page\nhttps://a.test\nfour" in prompt and parts.pictures_of(vendor, api_key) == [mine]


def test_an_image_in_a_result(claude, vendor, api_key):
    mine = picture("mine")
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("A map:"), image(mine)]}
    turns = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    create(claude, False, messages=HELLO["messages"] + turns, tools=[WEATHER])
    assert parts.pictures_of(vendor, api_key) == [mine]
    assert "A map:\n</tool_response>" in parts.call(vendor, api_key)["prompt"]


@pytest.mark.parametrize(
    "block, why",
    [
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}, "base64"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}, "base64"),
        ({"type": "image", "source": {"type": "base64", "media_type": "text/plain", "data": "YQ=="}}, "media_type"),
        ({"type": "image", "source": base64_source(b"no picture")}, "is not a PNG"),
        ({"type": "image", "source": {"type": "file", "file_id": "file-none"}}, "no file with this id exists"),
        (document(base64_source(b"\0\1\2", "application/pdf")), "PDF"),
        (document({"type": "file", "file_id": "file-none"}), "no file with this id exists"),
        (document(base64_source(PDF), title="a" * 2000), "title"),
        (document({"type": "content"}), "source.content"),
    ],
)
def test_what_is_wrong_with_media(claude, block, why):
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(claude, False, **asked(block))
    assert why in caught.value.api_message


def test_a_model_without_vision(claude):
    with pytest.raises(anthropic.BadRequestError):
        create(claude, False, model=BLIND, **asked(image(picture("mine"))))


def test_a_hundred_images_at_most(claude):
    create(claude, False, **asked(*[image(picture("mine"))] * 100))
    with pytest.raises(anthropic.BadRequestError):
        create(claude, False, **asked(*[image(picture("mine"))] * 101))


def test_a_file_that_was_uploaded_before(claude, client, vendor, api_key):
    kept = client.files.create(file=("a.pdf", PDF, "application/pdf"), purpose="user_data")
    create(claude, False, **asked(document({"type": "file", "file_id": kept.id}), text("Read it.")))
    (upload,) = parts.files_of(vendor, api_key)
    assert base64.b64decode(upload["data64"]) == PDF


def test_counts(claude, vendor, api_key):
    def count(**fields):
        return claude.messages.count_tokens(**{"model": MODEL, "messages": HELLO["messages"]} | fields).input_tokens

    plain = count()
    assert plain == 1 and count(system="one two three") == 4
    assert count(tools=[WEATHER]) > 100
    assert count(tools=[WEATHER], tool_choice={"type": "none"}) == 1
    assert claude.beta.messages.count_tokens(model=MODEL, messages=HELLO["messages"]).input_tokens == 1
    assert count(messages=[{"role": "user", "content": "word " * 100_000}]) >= 100_000
    assert not vendor.requests(api_key)
    with pytest.raises(anthropic.NotFoundError):
        count(model="gpt-99")
    with pytest.raises(anthropic.BadRequestError):
        count(messages=[])


def test_the_tokens_of_an_image_whose_dimensions_come_late(claude):
    def count(before: bytes):
        part = {"type": "image", "source": base64_source(JPEG[:2] + before + JPEG[2:], "image/jpeg")}
        return claude.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": [part]}]).input_tokens

    def of_the_camera(size: int):
        return b"\xff\xe1" + size.to_bytes(2, "big") + bytes(size - 2)

    known = count(b"")
    assert known == count(of_the_camera(900)) == count(of_the_camera(20_000))
    # Beyond 64 KB the dimensions are not searched.
    assert count(of_the_camera(65_535)) > known


def test_the_list_of_models(claude, http):
    ids = [model["id"] for model in http.get("/v1/models").json()["data"]]
    assert [model.id for model in claude.models.list()] == ids
    first = claude.models.list(limit=3)
    assert ([model.id for model in first.data], first.has_more, first.last_id) == (ids[:3], True, ids[2])
    assert [model.id for model in claude.models.list(limit=7)] == ids
    after = claude.models.list(after_id=ids[2], limit=2)
    assert ([model.id for model in after.data], after.first_id) == (ids[3:5], ids[3])
    before = claude.models.list(before_id=ids[5], limit=2)
    assert ([model.id for model in before.data], before.has_more) == (ids[3:5], True)
    assert claude.models.list(after_id=ids[-1]).data == []
    with pytest.raises(anthropic.BadRequestError):
        claude.models.list(after_id="none")
    with pytest.raises(anthropic.BadRequestError):
        claude.models.list(limit=0)


def test_one_model(claude, http):
    got = claude.models.retrieve(MODEL)
    assert (got.id, got.display_name, got.type, got.lifecycle) == (MODEL, MODEL, "model", "active")
    assert claude.models.retrieve("meta/llama-4-scout-instruct").id == "meta/llama-4-scout-instruct"
    assert http.get("/anthropic/v1/models").json()["data"][0]["type"] == "model"
    with pytest.raises(anthropic.NotFoundError) as caught:
        claude.models.retrieve("none")
    assert caught.value.type == "not_found_error"
