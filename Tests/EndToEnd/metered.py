"""Limits of tokens, money and credits, as the official client sees them."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import checked
import httpx2
import openai
from limited import FOR_ALL, duration, milliseconds
from memcached import wait_for
from relay_process import Relay

PROMPT = "Hello!"
PROMPT_TOKENS = 2
"""By the vocabulary and as estimated."""
FIRST_ANSWER = 1000
"""Reserved for the answer of a model that has not answered yet."""
HUGE_PROMPT = [{"role": "user", "content": "x " * 12_000}]


def metadata(prompt: int = 10, answer: int = 20, credit: Any = 12) -> dict[str, Any]:
    """Returns the vendor's metadata of a call: its tokens and credits."""
    return {"metadata": {"inputToken": prompt, "outputToken": answer, "credit": credit}}


class Account:
    """One caller of one relay."""

    def __init__(self, relay: Relay, key: str) -> None:
        self.http = checked.client(httpx2, timeout=30)
        self.ai = openai.OpenAI(api_key=key, base_url=relay.v1, max_retries=0, http_client=self.http)
        self.key = key

    def ask(self, model: str = "gpt-4o-mini", *, stream: bool = False, **fields: Any) -> Any:
        """Returns the headers of a response that must succeed. A stream is read to its end, which must be a proper
        one."""
        messages: Any = fields.pop("messages", [{"role": "user", "content": PROMPT}])
        answer = self.ai.chat.completions.with_raw_response.create(model=model, messages=messages, stream=stream, **fields)
        parsed = answer.parse()
        if stream:
            for _ in parsed:
                pass
        return answer.headers

    def stream(self, model: str = "gpt-4o-mini", **fields: Any) -> Any:
        messages: Any = [{"role": "user", "content": PROMPT}]
        return self.ai.chat.completions.create(model=model, messages=messages, stream=True, **fields)

    def refused(self, **fields: Any) -> openai.APIStatusError:
        """Returns the error of a request that must fail."""
        try:
            self.ask(**fields)
        except openai.APIStatusError as error:
            return error
        raise AssertionError("it was answered")

    def left(self, **fields: Any) -> int:
        """Returns the tokens that are left: the error for a prompt too large for any limit contains them, and it uses
        none."""
        error = self.refused(messages=HUGE_PROMPT, **fields)
        assert error.status_code == 429 and "too large" in error.message, error
        return int(error.response.headers["x-ratelimit-remaining-tokens"])

    def soon(self, **fields: Any) -> Any:
        """Returns the headers of a response that comes as soon as another request's unused units are refunded."""
        headers: list[Any] = []

        def is_admitted() -> bool:
            try:
                headers.append(self.ask(**fields))
            except openai.RateLimitError as error:
                assert error.response.headers["x-relay-limited-by"] == "relay"
                return False
            return True

        wait_for(is_admitted, 5)
        return headers[0]

    def assert_left(self, tokens: int, unseen: Collection[int] = (0,), **fields: Any) -> None:
        """Asserts that so many are left, now, or very soon if a store must be written or a client was seen to leave.

        `unseen`: how many tokens less may be left, for the output that the vendor may have written until the call was left.
        """
        seen: list[int] = []

        def is_so() -> bool:
            seen.append(self.left(**fields))
            return tokens - seen[-1] in unseen

        try:
            wait_for(is_so, 5)
        except AssertionError:
            raise AssertionError(f"{seen[-1]} are left and not {tokens}") from None


@contextmanager
def account(relay: Relay, key: str) -> Iterator[Account]:
    one = Account(relay, key)
    try:
        yield one
    finally:
        one.http.close()


def without_hint(error: Any) -> Any:
    """Returns an error without the addition of limits that all callers share."""
    return error | {"message": error["message"].removesuffix(FOR_ALL)}


def assert_refused(error: openai.APIStatusError, unit: str, text: str) -> int:
    """Asserts a complete refusal by the limit `text` of `unit`. Returns the milliseconds to wait."""
    budget = unit in ("usd", "credits") or unit == "tokens" and text.endswith(("hour", "day"))
    assert error.status_code == 429, error
    wait = int(error.response.headers["retry-after-ms"])
    assert error.response.headers["retry-after"] == str(max(1, -(-wait // 1000)))
    hopeless = budget or wait > 120_000
    assert error.response.headers.get("x-should-retry") == ("false" if hopeless else None)
    assert error.response.headers["x-relay-limited-by"] == "relay"
    kind = "insufficient_quota" if budget else "tokens" if unit == "tokens" else "requests"
    if budget and unit in ("tokens", "usd", "credits"):
        assert_budget(error.body, text.replace(" per ", f" {unit} per "))
        return wait
    assert without_hint(error.body) == {
        "message": f"Rate limit reached for {unit}: {text}. Please try again in {duration(wait)}.",
        "type": kind, "param": None, "code": "insufficient_quota" if budget else "rate_limit_exceeded",
    }  # fmt: skip
    return wait


def assert_budget(body: Any, text: str) -> None:
    """Asserts the words of a used-up budget."""
    rest = r"(is used up|has [0-9.]+ left, and this request needs [0-9.]+)"
    free = r"[0-9.]+ are free again at \d+ [A-Z][a-z]{2} \d\d:\d\d UTC\."
    assert re.fullmatch(rf"The budget of [a-z ]+, {re.escape(text)}, {rest}\. {free}", body["message"]), body
    assert (body["type"], body["param"], body["code"]) == ("insufficient_quota", None, "insufficient_quota")


def assert_too_large(error: openai.APIStatusError, unit: str, text: str, requested: str) -> None:
    """Asserts a refusal that no waiting helps."""
    assert error.status_code == 429, error
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.headers["x-relay-limited-by"] == "relay"
    assert not {"retry-after", "retry-after-ms"} & set(error.response.headers)
    budget = unit in ("usd", "credits") or unit == "tokens" and text.endswith(("hour", "day"))
    assert error.body == {
        "message": f"Request too large for {unit}: limit {text}, requested {requested}.",
        "type": "insufficient_quota" if budget else "tokens", "param": None,
        "code": "insufficient_quota" if budget else "rate_limit_exceeded",
    }  # fmt: skip


def assert_tokens(headers: Any, bound: int, remaining: int) -> None:
    """Asserts a limit of tokens per hour, and none of requests."""
    assert headers["x-ratelimit-limit-tokens"] == str(bound)
    assert headers["x-ratelimit-remaining-tokens"] == str(remaining)
    reset = headers["x-ratelimit-reset-tokens"]
    assert duration(milliseconds(reset)) == reset
    assert headers["ratelimit-policy"] == f'"hour-tokens";q={bound};w=3600'
    assert re.fullmatch(rf'"hour-tokens";r={remaining};t=\d+', headers["ratelimit"])
    assert "x-ratelimit-limit-requests" not in headers
