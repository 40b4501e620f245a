"""Callers' looks at their own limits and usage."""

import uuid

from conftest import secrets
from limited import chat, metric

TOKENS = {name: f"token-{uuid.uuid4().hex}" for name in ("ANN", "BOB")}


def test_looks_at_ones_own_usage_count_in_no_other_limit(start_relay, store, caller):
    secrets.update(TOKENS.values())
    settings = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "3/hour", "KEY_ANN_RATE_LIMIT": "4/hour", "KEY_BOB_RATE_LIMIT": "4/hour"}
    tokens = {f"KEY_{name}_TOKEN": token for name, token in TOKENS.items()}
    relay = start_relay(**settings, **tokens, MEMCACHED_SERVERS=store.address, MEMCACHED_TIMEOUT="5s", SLOT_SECONDS="3600")
    http = caller(relay, TOKENS["ANN"])
    assert [http.get("/v1/usage").status_code for _ in range(31)] == [200] * 30 + [429]

    def operations():
        return sum(metric(relay, "relay_store_operations_total", operation=name) for name in ("read", "write"))

    before = operations()
    answers = [http.get("/v1/usage") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {429}
    # The list of relays is read and written meanwhile.
    assert operations() - before < len(answers) / 2, "whoever polls does not reach memcached"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61
    assert caller(relay, TOKENS["BOB"]).get("/v1/usage").status_code == 200, "each caller has its own"
    assert [chat(http).status_code for _ in range(4)] == [200, 200, 200, 429]
