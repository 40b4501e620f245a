"""A budget that real programs use to its end: they are answered until it is used up, and then told so."""

import json

import jobs
import pytest
import vendors
from scripted import Reply, Script

COST = "5/25/0.5/6.25 per million"


@pytest.fixture
def cached(monkeypatch):
    """Usage as of a prompt cache: the first prompt is written into it, and later ones are read but for a few tokens."""
    seen = []

    def usage(body):
        tokens = len(json.dumps(body)) // 4
        (read, written) = (tokens - 300, 0) if seen else (0, tokens - 300)
        seen.append(tokens)
        return {"input_tokens": 300, "output_tokens": 500, "cache_creation_input_tokens": written, "cache_read_input_tokens": read}

    monkeypatch.setattr(vendors, "usage_of", usage)


@pytest.mark.parametrize("budget, share", [(0.5, 0.9), (3, 0.97)])  # the first prompt alone costs a sixth of the small one
@pytest.mark.parametrize("program", ["claude", "codex"])
def test_a_budget_is_used_to_its_end(serve, claude, codex, cached, tmp_path, program, budget, share):
    file = tmp_path / "usage.jsonl"
    relay, vendor = serve("anthropic", Script([Reply("Hello.")]), PROVIDER_ROW_COST=COST, KEY_AGENTS_RATE_LIMIT=f"{budget} usd/day",
                          PROVIDER_ROW_FEES="web_search=0.01", USAGE_LOG_FILE=str(file))  # fmt: skip
    # With an effort, older models of Claude get a number of tokens to think, which a request needs besides.
    made = claude(relay.base_url) if program == "claude" else codex(relay.v1, more='model_reasoning_effort = "none"')
    answered = 0
    while not jobs.faults_of(run := made.run(f"Say hello, please. ({answered})")):
        answered += 1
        assert answered < 400
    relay.stop()
    requests = [record for record in map(json.loads, file.read_text().splitlines()) if "attempts" in record]
    used = sum(record["cost"] or 0 for record in requests)
    print(f"{program}: {answered} prompts, {used:.4f} of {budget}; then exit {run.code} after {run.seconds:.1f} s: {said(run)}")
    assert answered > 5 and share * budget <= used <= budget
    # Codex has words of its own for this code.
    assert {"claude": f"The budget of this key, {budget:.2f} usd per day", "codex": "Quota exceeded."}[program] in run.out + run.error
    cut = [record for record in requests if record["completion_tokens"] >= record.get("lowered_max_tokens", 10**9)]
    assert cut == [], "a response was lowered below what it used"


def said(run):
    """The words that the program shows."""
    words = run.out + run.error
    at = max(words.find("The budget of this key"), words.find("Quota exceeded"))
    return words[max(0, at - 60) : at + 200]
