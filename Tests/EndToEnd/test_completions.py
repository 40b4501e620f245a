"""Legacy completions, as the official client and plain ones receive them."""

import json

import openai
import pytest
from chat import MODEL

PATH = "/v1/completions"


def body(prompt="Once upon", **fields):
    return {"model": MODEL, "prompt": prompt} | fields


def refused(http, **fields):
    answer = http.post(PATH, json=body() | fields)
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]["code"], answer.json()["error"]["param"]


def texts(got):
    """Returns the text by choice of a stream's chunks."""
    found = {}
    for chunk in got:
        for choice in chunk.choices:
            found[choice.index] = found.get(choice.index, "") + choice.text
    return [found[index] for index in sorted(found)]


def answers(vendor, key, *answers, **fields):
    vendor.answers(key, *({"answer": answer} | fields for answer in answers))


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def complete(client, request):
    """`complete(prompt, ...)`: texts and finish reasons by choice."""

    def whole(prompt="Once upon", **fields):
        got = client.completions.create(model=MODEL, prompt=prompt, **fields)
        assert got.object == "text_completion"
        return [choice.text for choice in got.choices], [choice.finish_reason for choice in got.choices]

    def streamed(prompt="Once upon", **fields):
        chunks = list(client.completions.create(model=MODEL, prompt=prompt, stream=True, **fields))
        assert {chunk.object for chunk in chunks} == {"text_completion"}
        ends = {one.index: one.finish_reason for chunk in chunks for one in chunk.choices if one.finish_reason}
        return texts(chunks), [ends[index] for index in sorted(ends)]

    return streamed if request.param else whole


def test_a_completion(complete, vendor, api_key):
    answers(vendor, api_key, " a time é 🎉")
    assert complete() == ([" a time é 🎉"], ["stop"])
    assert vendor.prompt(api_key) == "Once upon"


@pytest.mark.parametrize("path", ["/v1/completions", "/completions", "/v1//completions/"])
def test_paths(http, vendor, api_key, path):
    answers(vendor, api_key, "text")
    assert http.post(path, json=body()).json()["choices"][0]["text"] == "text"


def test_an_unbounded_answer_is_whole(complete, vendor, api_key):
    answers(vendor, api_key, "word " * 100)
    assert complete() == (["word " * 100], ["stop"])


def test_bounds_and_stops(complete, vendor, api_key):
    answers(vendor, api_key, "one two three END four")
    assert complete(max_tokens=2) == (["one two"], ["length"])
    assert complete(stop="END") == (["one two three "], ["stop"])
    assert complete(stop=["x", "three"]) == (["one two "], ["stop"])


def by_prompt(vendor, key):
    """Returns the prompts of all calls, sorted, because the order of the calls is not fixed."""
    return sorted(request["body"]["promptObject"]["prompt"] for request in vendor.requests(key))


def test_several_prompts_have_choices_counted_through(complete, vendor, api_key):
    vendor.answers(api_key, {})
    both, ends = complete(["first", "second"], n=2, echo=True)
    assert [text[:5] for text in both] == ["first", "first", "secon", "secon"] and ends == ["stop"] * 4
    assert by_prompt(vendor, api_key) == ["first", "first", "second", "second"]
    first, _ = complete("first")
    second, _ = complete("second")
    assert both == ["first" + first[0]] * 2 + ["second" + second[0]] * 2


def test_many_prompts(client, vendor, api_key):
    prompts = [f"prompt {number}" for number in range(20)]
    got = client.completions.create(model=MODEL, prompt=prompts, echo=True)
    assert [choice.text.startswith(prompts[choice.index]) for choice in got.choices] == [True] * 20


def test_several_choices(complete, vendor, api_key):
    answers(vendor, api_key, "a", "b", "c")
    assert sorted(complete(n=3)[0]) == ["a", "b", "c"]
    answers(vendor, api_key, "a", "b")
    assert sorted(complete(n=2, best_of=2)[0]) == ["a", "b"]


def test_a_prompt_is_echoed(complete, vendor, api_key):
    answers(vendor, api_key, " a time")
    assert complete("Once “upon”", echo=True)[0] == ["Once “upon” a time"]


def test_without_a_prompt(http, vendor, api_key):
    answers(vendor, api_key, "text")
    request = {"model": MODEL, "prompt": None}
    assert http.post(PATH, json=request).json()["choices"][0]["text"] == "text"
    assert vendor.prompt(api_key) == "<|endoftext|>"


@pytest.mark.parametrize("model", [MODEL, "gpt-3.5-turbo"])
def test_tokens_are_decoded(http, vendor, api_key, encodings, model):
    text = "Hello, wörld 🎉"
    tokens = encodings[model].encode_ordinary(text)
    assert http.post(PATH, json=body(tokens, model=model)).status_code == 200
    assert vendor.prompt(api_key) == text
    assert http.post(PATH, json=body([tokens, tokens], model=model)).status_code == 200
    assert by_prompt(vendor, api_key) == [text] * 3


def test_usage(http, client, vendor, api_key, encodings):
    answers(vendor, api_key, " a time", metadata=None)
    counted = encodings[MODEL].encode_ordinary
    usage = http.post(PATH, json=body(["Once upon", "It was"], n=2)).json()["usage"]
    each = len(counted(" a time"))
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 4 * each)
    chunks = list(
        client.completions.create(model=MODEL, prompt=["Once upon", "It was"], stream=True, stream_options={"include_usage": True})
    )
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 4 + 2 * each
    assert all(chunk.usage is None for chunk in chunks[:-1])
    answers(vendor, api_key, " a time", metadata={"inputToken": 10, "outputToken": 20})
    usage = http.post(PATH, json=body(n=2)).json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 40)


def test_each_prompt_has_the_window_for_itself(http):
    fields = {"model": "gpt-3.5-turbo"}
    assert http.post(PATH, json=body(["word " * 10_000] * 2, **fields)).status_code == 200
    error = http.post(PATH, json=body(["a", "word " * 20_000], **fields)).json()["error"]
    assert error["code"] == "context_length_exceeded"


REFUSED = [
    ({"suffix": "end"}, "unsupported_parameter", "suffix"), ({"prompt": [1], "model": "qwen-max"}, "unsupported_value", "prompt"),
    ({"n": 8, "prompt": ["a"] * 5}, "invalid_value", "n"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "code", "param"), REFUSED, ids=str)
def test_refusals(http, vendor, api_key, fields, code, param):
    assert refused(http, **fields) == (code, param)
    assert vendor.requests(api_key) == []


def test_what_changes_only_the_quality_is_dropped(http):
    fields = {
        "temperature": 1, "top_p": 0.5, "presence_penalty": 1, "frequency_penalty": -1, "seed": 7, "user": "me",
        "logit_bias": {"50256": -100}, "suffix": None, "logprobs": None, "best_of": 1, "top_k": 40, "min_p": 0.1,
    }  # fmt: skip
    assert http.post(PATH, json=body() | fields).status_code == 200


def test_a_failure_before_the_first_piece_has_its_status(client, vendor, api_key):
    vendor.answers(api_key, {"status": 500, "json": {"message": "broken"}})
    with pytest.raises(openai.InternalServerError):
        client.completions.create(model=MODEL, prompt="a", stream=True)
    with pytest.raises(openai.InternalServerError):
        client.completions.create(model=MODEL, prompt=["a", "b"])


def test_a_cut_answer_is_an_error(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["one ", "two"], "without": ["result", "done"]})
    content = http.post(PATH, json=body(stream=True)).content
    events = [event.removeprefix(b"data: ") for event in content.split(b"\n\n") if event]
    assert "error" in json.loads(events[-1]) and b"[DONE]" not in content
