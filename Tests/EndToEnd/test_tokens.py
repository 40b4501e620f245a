"""Token counts beside tiktoken's, and the relay with and without its token file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import checked
import httpx
import pytest
import relay_process
from chat import ask, either, refusal, stream

TOKENS = Path(__file__).resolve().parents[1] / "Tokens"


@pytest.fixture
def built():
    """The folder with the relay's binary."""
    return relay_process.binary().resolve().parent


def test_counts_are_those_of_tiktoken(built):
    if not (built / "count-tokens").exists():
        pytest.skip("count-tokens is not built: make build")
    programs = {"COUNT_TOKENS": str(built / "count-tokens"), "TOKEN_FILE": str(built / "relay.tokens")}
    command = [sys.executable, str(TOKENS / "compare.py")]
    done = subprocess.run(command, env=os.environ | programs, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("2420 of 2420 counts equal") == 2


def start(binary, monkeypatch, start_relay):
    monkeypatch.setenv("RELAY_BINARY", str(binary))
    return start_relay(LOG_FORMAT="json")


def complaints(relay):
    relay.wait_for_line(lambda line: line["message"] == "listening")
    return [line for line in relay.log_lines() if line["message"] == "token counts are estimates"]


def test_a_relay_with_its_token_file_says_nothing(built, monkeypatch, start_relay):
    assert not complaints(start(built / "relay", monkeypatch, start_relay))


def test_an_installed_relay_finds_its_token_file_in_the_folder_for_data(built, tmp_path, monkeypatch, start_relay):
    for folder in ("bin", "share/relay"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(built / "relay", tmp_path / "bin")
    (tmp_path / "share/relay/relay.tokens").symlink_to(built / "relay.tokens")
    assert not complaints(start(tmp_path / "bin/relay", monkeypatch, start_relay))


@pytest.mark.parametrize("content", [None, b"", b"relaytok" + bytes(200), "cut"], ids=["none", "empty", "zeros", "cut"])
def test_a_relay_without_a_proper_token_file_serves(built, tmp_path, monkeypatch, start_relay, content):
    binary = tmp_path / "relay"
    shutil.copy(built / "relay", binary)
    if content == "cut":
        content = (built / "relay.tokens").read_bytes()[:-1]
    if content is not None:
        (tmp_path / "relay.tokens").write_bytes(content)
    (line,) = complaints(start(binary, monkeypatch, start_relay))
    assert line["level"] == "warning" and str(tmp_path / "relay.tokens") in line["cause"]


# Counts of chats whose vendor reports none

TEXTS = ["Hello", "Ünïcödé 你好 🎉 \n\n  and 12345 words, don't you think?", "word " * 9_000, "x" * 20_000, "naïve—" * 3_000]
EXACT = ["gpt-4o-mini", "gpt-3.5-turbo", "o3-mini"]


def usage(http, is_streamed, **fields):
    """Returns the tokens of prompt and output."""
    if is_streamed:
        found = stream(http, stream_options={"include_usage": True}, **fields).usage()
    else:
        found = ask(http, **fields).json()["usage"]
    return found["prompt_tokens"], found["completion_tokens"]


@pytest.mark.parametrize("model", EXACT)
def test_usage_is_exact_where_the_vocabulary_is_known(http, vendor, api_key, encodings, model, is_streamed):
    text = TEXTS[1] * 50
    count = len(encodings[model].encode_ordinary(text))
    cuts = [text[at : at + 997] for at in range(0, len(text), 997)]
    vendor.answers(api_key, {"answer": text, "deltas": cuts, "metadata": None})
    assert usage(http, is_streamed, model=model, prompt=text) == (count, count)


def test_several_choices_count_the_prompt_once(http, vendor, api_key, encodings):
    counted = encodings["gpt-4o-mini"].encode_ordinary
    vendor.answers(api_key, {"answer": TEXTS[1], "metadata": None})
    whole, streamed = usage(http, False, n=3, prompt=TEXTS[1]), usage(http, True, n=3, prompt=TEXTS[1])
    assert whole == streamed == (len(counted(TEXTS[1])), 3 * len(counted(TEXTS[1])))


@pytest.mark.parametrize("fields", [{"stop": "END"}, {"max_tokens": 5}], ids=str)
def test_what_is_passed_on_of_a_cut_answer_is_counted(http, vendor, api_key, encodings, is_streamed, fields):
    """Without a figure of the vendor's, which counts all that it wrote, and bills."""
    counted = encodings["gpt-4o-mini"].encode_ordinary
    answer = "one two three four five six seven END eight nine"
    if not is_streamed:
        vendor.answers(api_key, {"answer": answer, "metadata": {"inputToken": 9, "outputToken": 77}})
        assert usage(http, False, prompt="Count on", **fields) == (9, 77)
    vendor.answers(api_key, {"answer": answer, "metadata": None})
    text, _ = either(http, is_streamed, "Count on", **fields)
    assert usage(http, is_streamed, prompt="Count on", **fields) == (2, len(counted(text)))


@pytest.mark.parametrize("is_broken", [False, True], ids=["a call", "a repaired call"])
def test_tools_count_as_they_are_written(http, vendor, api_key, encodings, is_streamed, is_broken):
    def counted(text):
        return len(encodings["gpt-4o-mini"].encode_ordinary(text))

    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    said = [call.replace("weather", "wether"), call] if is_broken else [call]
    vendor.answers(api_key, *({"answer": text, "metadata": None} for text in said))
    tool = {"type": "function", "function": {"name": "weather", "description": "The weather of a city"}}
    found = usage(http, is_streamed, prompt="Is it sunny?", tools=[tool])
    asked = [request["body"]["promptObject"]["prompt"] for request in vendor.requests(api_key)]
    written = asked[0].removeprefix("Instructions:\n").partition("\n\nUser: Is it sunny?")[0]
    assert "The weather of a city" in written
    prompt = counted(written) + counted("Is it sunny?")
    if is_broken:
        problem = asked[1].rpartition("\n\nUser: ")[2].partition("\n\n(Answer as")[0]
        prompt += prompt + counted(said[0]) + counted(problem)
    assert found == (prompt, sum(counted(text) for text in said))


def test_what_limits_have_counted_is_the_usage(start_relay, vendor, new_key, encodings, is_streamed):
    relay, key = start_relay(RATE_LIMIT_CHAT="1000000 tokens/hour"), new_key()
    counted = encodings["gpt-4o-mini"].encode_ordinary
    vendor.answers(key, {"answer": TEXTS[1], "metadata": None})
    headers = {"Authorization": f"Bearer {key}"}
    with checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30) as http:
        for text in TEXTS:
            found = usage(http, is_streamed, prompt=text)
            assert found == (len(counted(text)), len(counted(TEXTS[1])))


# Windows


def too_long(http, **fields):
    status, error, _ = refusal(http, **fields)
    assert (status, error["code"], error["param"]) == (400, "context_length_exceeded", "messages"), error
    return error["message"]


def test_a_prompt_longer_than_the_window_is_refused(http, vendor, api_key, encodings):
    text = "word " * 17_000
    count = len(encodings["gpt-3.5-turbo"].encode_ordinary(text))
    message = too_long(http, model="gpt-3.5-turbo", prompt=text)
    assert "maximum context length is 16385 tokens" in message and f"resulted in {count} tokens" in message
    assert vendor.requests(api_key) == []
    fitting = "word " * 15_000
    for bound in ({}, {"max_tokens": 16_000}):
        assert ask(http, model="gpt-3.5-turbo", prompt=fitting, **bound).status_code == 200
    full = "word " * 16_000
    assert ask(http, model="gpt-3.5-turbo", prompt=full, max_tokens=100).status_code == 200
    for bound in ({}, {"max_tokens": 1_000}):
        message = too_long(http, model="gpt-3.5-turbo", prompt=full, **bound)
        count = len(encodings["gpt-3.5-turbo"].encode_ordinary(full))
        assert f"resulted in {count} tokens, which leaves less than 1024 tokens for the completion" in message


def test_an_estimate_refuses_only_what_is_wide_of_the_window(http):
    # 32,000 tokens; the estimate is a quarter more than the truth.
    model = "mistral-small-latest"
    assert ask(http, model=model, prompt="word " * 30_000).status_code == 200
    assert "about 40000 tokens" in too_long(http, model=model, prompt="word " * 40_000)


def test_a_bound_that_leaves_no_room_for_the_prompt_is_cut(http):
    assert ask(http, prompt="Hello there", max_tokens=127_999).status_code == 200


def test_a_bound_beyond_the_window_is_no_bound(http):
    assert ask(http, max_tokens=128_000).status_code == 200 == ask(http, max_tokens=2**31 - 1).status_code
