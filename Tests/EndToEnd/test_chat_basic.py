"""Chat through the public API: whole and streamed responses, and their headers."""

import asyncio
import time

import checked
import httpx
import httpx2
import openai
import pytest
from chat import CHAT_PATH, MODEL, PATH, ask, body, either, stream, stream_async, text_of
from onemin_replies import default_answer


def test_official_client_whole(client, mark):
    prompt = f"Say hello, {mark}"
    before = int(time.time())
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}])
    assert answer.choices[0].message.content == default_answer(prompt)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert before - 1 <= answer.created <= time.time() + 1
    assert answer._request_id


def test_official_client_streamed(client, mark):
    prompt = f"Say hello, {mark}"
    chunks = list(client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == default_answer(prompt)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.model for chunk in chunks} == {MODEL}


def test_official_client_async(relay, api_key, mark):
    async def both() -> tuple[str, str]:
        async with checked.async_client(httpx2, timeout=30) as http:
            client = openai.AsyncOpenAI(api_key=api_key, base_url=relay.v1, max_retries=0, http_client=http)
            messages = [{"role": "user", "content": mark}]
            whole, chunks = await asyncio.gather(
                client.chat.completions.create(model=MODEL, messages=messages),
                client.chat.completions.create(model=MODEL, messages=messages, stream=True),
            )
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
            return whole.choices[0].message.content, text

    assert asyncio.run(both()) == (default_answer(mark), default_answer(mark))


def test_the_helper_of_the_official_client_accumulates(client, mark):
    messages = [{"role": "user", "content": mark}]
    with client.chat.completions.stream(model=MODEL, messages=messages) as events:
        events.until_done()
        assert events.get_final_completion().choices[0].message.content == default_answer(mark)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_with_and_without_v1(http, vendor, api_key, path, is_streamed):
    answer = http.post(path, json=body(stream=is_streamed))
    assert answer.status_code == 200
    seen = vendor.request(api_key)
    assert seen["path"] == CHAT_PATH
    assert seen["query"] == ("isStreaming=true" if is_streamed else "") or seen["query"] == "isStreaming=false"


def test_the_key_goes_upstream_and_nothing_else_of_the_caller(http, vendor, api_key):
    headers = {
        "OpenAI-Organization": "org", "OpenAI-Project": "p", "OpenAI-Beta": "b", "X-Stainless-Lang": "python",
        "Idempotency-Key": "i", "HTTP-Referer": "r", "X-Title": "t", "Cookie": "a=b", "X-Client-Request-Id": "c",
    }  # fmt: skip
    assert http.post(PATH, json=body(user="somebody", metadata={"a": "b"}), headers=headers).status_code == 200
    seen = vendor.request(api_key)
    assert seen["headers"]["api-key"] == api_key
    assert set(seen["body"]) == {"type", "model", "promptObject"}
    assert seen["body"]["model"] == MODEL


def test_answers_to_a_plain_chat_use_no_setting(http, vendor, api_key):
    ask(http)
    prompt = vendor.request(api_key)["body"]["promptObject"]
    settings = prompt.get("settings", {})
    assert settings.get("webSearchSettings", {}).get("webSearch", False) is False
    assert not prompt.get("attachments")


def test_headers_of_answers(http):
    whole, streamed = ask(http), stream(http)
    assert whole.headers["content-type"].startswith("application/json")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.headers["cache-control"] == "no-cache"
    assert streamed.headers["x-accel-buffering"] == "no"
    assert whole.headers["x-request-id"] != streamed.headers["x-request-id"]
    assert whole.headers["x-relay-provider"] == streamed.headers["x-relay-provider"] == "onemin"


def test_ids_are_unique(http):
    ids = [ask(http).json()["id"] for _ in range(5)] + [stream(http).chunks[0]["id"] for _ in range(5)]
    assert len(set(ids)) == 10
    assert all(len(chat_id) >= len("chatcmpl-") + 16 for chat_id in ids)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " leading and trailing \n",
        'quotes " and \\ backslashes / and \x01 controls \t\r\n',
        "é ü 你好 🎉 👩‍👩‍👧‍👦 \u2028\u2029 \ufeff \u0000",
        "data: [DONE]\n\ndata: x\n\n",
        '{"error":{"message":"no"}}',
        "x" * 30_000,
        "```json\n{}\n```",
    ],
    ids=["one", "spaces", "escapes", "unicode", "frames", "error", "long", "fence"],
)
def test_texts_come_through_as_they_are(http, vendor, api_key, is_streamed, text):
    vendor.answers(api_key, {"answer": text})
    assert either(http, is_streamed, text) == (text, "stop")
    assert vendor.prompt(api_key) == text


def test_json_escapes_of_the_vendor_are_read(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "é 你 🎉 \u007f", "ascii": True})
    assert either(http, is_streamed) == ("é 你 🎉 \u007f", "stop")


def test_escapes_of_the_caller_are_read(http, vendor, api_key):
    escaped = r"\u00e9\ud83c\udf89\n\/"
    text = f'{{"model":"{MODEL}","messages":[{{"role":"user","content":"{escaped}"}}]}}'
    answer = http.post(PATH, content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200 and vendor.prompt(api_key) == "é🎉\n/"


def test_a_long_prompt(http, vendor, api_key):
    prompt = "0123456789 äöü " * 100_000
    # The window of this model is not known.
    assert text_of(ask(http, prompt, model="qwen3.7-max")) == default_answer(prompt)
    assert vendor.prompt(api_key) == prompt


def test_a_model_with_a_slash(http, vendor, api_key):
    answer = ask(http, model="meta/llama-4-scout-instruct")
    assert answer.json()["model"] == "meta/llama-4-scout-instruct"
    assert vendor.request(api_key)["body"]["model"] == "meta/llama-4-scout-instruct"


def test_many_at_a_time_do_not_mix(relay, new_key):
    prompts = [f"question {number}" for number in range(60)]
    keys = [new_key() for _ in prompts]

    async def all_of_them():
        async with checked.async_client(httpx, base_url=relay.base_url, timeout=30) as http:

            async def whole(key, prompt):
                answer = await http.post(PATH, json=body(prompt), headers={"Authorization": f"Bearer {key}"})
                return text_of(answer)

            return await asyncio.gather(
                *(
                    whole(key, prompt) if number % 2 else stream_async(http, key, prompt)
                    for number, (key, prompt) in enumerate(zip(keys, prompts, strict=True))
                )
            )

    for prompt, got in zip(prompts, asyncio.run(all_of_them()), strict=True):
        assert (got if isinstance(got, str) else got.text()) == default_answer(prompt)


def test_the_first_chunk_does_not_wait_for_the_end(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["first ", "second"], "stall_at": 45})
    with http.stream("POST", PATH, json=body(stream=True)) as answer:
        lines = answer.iter_lines()
        text = ""
        while "first " not in text:
            text += next(lines)
        vendor.release(api_key)
        rest = "".join(lines)
    assert "second" in rest and "[DONE]" in rest


def test_a_thousand_turns(http, vendor, api_key):
    said = [f"{'reply' if n % 2 else 'ask'}-{n}." for n in range(1001)]
    messages = [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(said)]
    assert http.post(PATH, json=body() | {"messages": messages}).status_code == 200
    prompt = vendor.prompt(api_key)
    places = [prompt.index(text) for text in said]
    assert places == sorted(places)


def test_links_to_videos_are_broken_where_the_operator_wants_it(start_relay, caller, vendor, new_key):
    text = "See https://www.YouTube.com/watch?v=1, youtu.be/2 and example.com/youtube.com."
    broken = "See https://www.YouTube[.]com/watch?v=1, youtu[.]be/2 and example.com/youtube[.]com."
    for more, seen in (({}, text), ({"ONE_MIN_LINKS": "off"}, broken)):
        key = new_key()
        assert ask(caller(start_relay(**more), key), text).status_code == 200
        assert vendor.requests(key, CHAT_PATH)[-1]["body"]["promptObject"]["prompt"] == seen
