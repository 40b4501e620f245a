"""Charges of limits where 1min.ai counts zero, beside tiktoken's counts."""

import random

import pytest
from chat import ask
from onemin_rules import FEATURE_TYPES
from test_models_live import model as entry

TOKEN = "token-of-the-counted-one"
PARTS = [
    "The committee met on Tuesday and agreed to publish the report before the end of the month, although two members objected.",
    "def area(radius: float) -> float:\n    return 3.14159 * radius ** 2  # squared\n",
    '{"name": "Ada", "items": [1, 2, 3], "nested": {"ok": true, "ratio": 0.75}}',
    "Der Zug nach München fährt heute leider zwanzig Minuten später ab, wir bitten um Entschuldigung.",
    "- first point\n- second point, with **emphasis**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
]
PRICE = {"INPUT": 2, "OUTPUT": 5}


def texts(seed):
    chosen = random.Random(seed)
    return ["\n".join(chosen.choices(PARTS, k=chosen.randint(1, 6))) for _ in range(2)]


CHATS = [texts(seed) for seed in range(200)]
"""Prompts and answers."""


def counts(prompt, answer, encoding):
    return len(encoding.encode(prompt)), len(encoding.encode(answer))


@pytest.fixture
def asked(start_relay, source, new_key, caller):
    """`asked(model, limit)`: the responses to all chats until one is refused, each of which 1min.ai counts as zero."""

    def made(model, limit):
        key = new_key()
        source.lists(only={FEATURE_TYPES["chat"]: [entry(model, creditMetadata=PRICE)]})
        relay = start_relay(
            PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, PROVIDER_A_BASE_URL=source.base_url, KEY_ANN_TOKEN=TOKEN,
            RATE_LIMIT_CHAT=limit, ONE_MIN_MODELS_REFRESH="1h", ONE_MIN_BASE_URL=source.base_url,
        )  # fmt: skip
        relay.wait_for_line(lambda line: line["message"] == "models read")
        nothing = {"inputToken": 0, "outputToken": 0, "promptToken": 0, "totalToken": 0}
        source.answers(key, *[{"answer": answer, "metadata": nothing} for _, answer in CHATS])
        http, answers = caller(relay, TOKEN), []
        for prompt, _ in CHATS:
            answers.append(ask(http, prompt, model=model, max_tokens=400))
            if answers[-1].status_code == 429:
                break
        assert {answer.status_code for answer in answers} <= {200, 429}
        return answers

    return made


MODELS = pytest.mark.parametrize(("model", "bound"), [("gpt-4o-mini", 0.10), ("us.anthropic.claude-sonnet-5", 0.35)])


@MODELS
def test_tokens_are_charged_by_the_estimate(asked, encodings, model, bound):
    answers = asked(model, "1000000 tokens/hour")
    assert len(answers) == len(CHATS)
    encoding = encodings["gpt-4o-mini"]
    counted = sum(sum(counts(*chat, encoding)) for chat in CHATS[:-1])
    charged = 1_000_000 - int(answers[-1].headers["x-ratelimit-remaining-tokens"])
    # The last answer's headers have what was reserved for it.
    assert abs(charged / counted - 1) < bound + 0.01, (charged, counted)


@MODELS
def test_credits_are_charged_by_the_estimate(asked, encodings, model, bound):
    encoding = encodings["gpt-4o-mini"]
    pairs = [counts(*chat, encoding) for chat in CHATS]
    counted = sum(2 * prompt + 5 * made for prompt, made in pairs)
    assert len(asked(model, f"{round(counted * (1 + bound))} credits/hour")) == len(CHATS)
    answers = asked(model, f"{round(counted * (1 - bound))} credits/hour")
    assert answers[-1].status_code == 429
