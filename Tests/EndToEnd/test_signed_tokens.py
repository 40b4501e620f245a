"""Signed tokens (single sign-on): who has a token of the issuer is a member, and nobody else is."""

import hashlib
import hmac
import subprocess
import time
from pathlib import Path

import local_http
import pytest
from chat import PATH
from conftest import secrets
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fake_server import FakeServer, Handler
from issuer import Issuer, Key, joined
from limited import chat, client
from memcached import wait_for
from operating import SETTINGS as OPERATED
from operating import Operator
from relay_process import INHERITED, binary, preloads
from test_key_ends import PASSTHROUGH

ECHO = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off"}


@pytest.fixture
def issuer(tmp_path):
    running = Issuer(tmp_path)
    yield running
    running.stop()


class Seen(Handler):
    """A vendor that records whatever comes."""

    def do_POST(self):
        if self.command == "POST":
            self.read()
        with self.fake.lock:
            self.fake.seen.append(self.path)
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi", "refusal": None}, "logprobs": None, "finish_reason": "stop"}
        self.send(200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}, **{"Content-Type": "application/json"})

    do_GET = do_POST


@pytest.fixture
def passed():
    """A vendor that gets the callers' own keys."""
    running = FakeServer(Seen)
    running.seen = []
    of_vendor = {"KIND": "openai", "BASE_URL": f"{running.base_url}/v1", "MODELS": "m", "PASSTHROUGH": "true"}
    running.settings = {f"PROVIDER_V_{name}": value for name, value in of_vendor.items()} | {"RATE_LIMIT": "off"}
    yield running
    running.stop()


def refusal(relay, token, **headers):
    """Returns the code of a 401, and the last word of its message."""
    answer = chat(client(relay, token, **headers))
    assert answer.status_code == 401, answer.text
    error = answer.json()["error"]
    return error["code"], error["message"].rstrip(".").split(" ")[-1]


def accepted(relay, *tokens):
    answers = [chat(client(relay, token)) for token in tokens]
    assert [answer.status_code for answer in answers] == [200] * len(tokens), answers[-1].text


def test_each_algorithm_is_accepted_and_each_member_has_limits_of_its_own(start_relay, issuer, tmp_path):
    limits = {"KEY_SSO_RATE_LIMIT": "3/hour", "KEY_SSO_GROUP": "school", "GROUP_SCHOOL_RATE_LIMIT": "5/hour"}
    relay = start_relay(**ECHO | issuer.settings() | limits | OPERATED, DATA_DIR=str(tmp_path / "data"))
    accepted(relay, *(issuer.token(key) for key in issuer.keys))
    assert chat(client(relay, issuer.token())).status_code == 429, "three tokens of ann are one member"
    bob = client(relay, issuer.token(sub="bob"))
    assert [limit["name"] for limit in bob.get("/v1/usage").json()["limits"]] == ["key", "group school"]
    assert [chat(bob).status_code for _ in range(3)] == [200, 200, 429]
    mail = "Ann.Lee@school.edu"
    digest = f"sso.sha256-{hashlib.sha256(mail.encode()).hexdigest()[:32]}"
    assert chat(client(relay, issuer.token(sub=mail))).status_code == 429, "the group has nothing left"
    operator = Operator(relay.base_url)
    wait_for(lambda: {"sso.ann", "sso.bob", digest} <= {row["caller"] for row in operator.items("/admin/req_logs")})
    assert len([path for path in issuer.asked if path == "/realm/keys"]) == 1


def other_key(issuer):
    return Key("RS256", issuer.keys[0].kid)


def with_public_key(issuer, key_bytes):
    """Returns a token by HMAC, whose secret is the public key in some spelling."""
    head = {"alg": "HS256", "typ": "JWT", "kid": issuer.keys[0].kid}
    return joined(head, issuer.claims(), lambda message: hmac.digest(key_bytes, message, "sha256"))


def pem(issuer):
    return issuer.keys[0].private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def swapped(issuer):
    """Returns a token with the claims of another one."""
    ann, bob = issuer.token().split("."), issuer.token(sub="bob").split(".")
    secrets.add(token := f"{ann[0]}.{bob[1]}.{ann[2]}")
    return token


NOT_ACCEPTED = {
    "none": (lambda i: joined({"alg": "none"}, i.claims(), lambda _: b""), "EdDSA"),
    "None": (lambda i: joined({"alg": "None", "kid": "key-RS256"}, i.claims(), lambda _: b"x"), "EdDSA"),
    "HS256 with the public key": (lambda i: with_public_key(i, pem(i)), "EdDSA"),
    "HS256 with the modulus": (lambda i: with_public_key(i, i.keys[0].public()["n"].encode()), "EdDSA"),
    "a header's extension": (lambda i: i.token(header={"crit": ["b64"], "b64": False}), "EdDSA"),
    "another algorithm than its key's": (lambda i: i.token(header={"alg": "ES256"}), "key"),
    "another key by this name": (lambda i: i.token(other_key(i)), "wrong"),
    "a key in the header": (lambda i: i.token(own := other_key(i), header={"jwk": own.public()}), "wrong"),
    "an unknown key": (lambda i: i.token(Key("RS256", "key-of-nobody")), "key"),
    "other claims": (swapped, "wrong"),
    "no signature": (lambda i: joined({"alg": "RS256", "kid": "key-RS256"}, i.claims(), lambda _: b""), "wrong"),
    "claims that are no object": (lambda i: joined({"alg": "RS256"}, [1], lambda _: b"x"), "unknown"),
    "another issuer": (lambda i: i.token(iss="https://127.0.0.1:1/realm"), "unknown"),
    "an issuer that begins so": (lambda i: i.token(iss=i.url + "/other"), "unknown"),
    "no issuer": (lambda i: i.token(iss=None), "unknown"),
    "another audience": (lambda i: i.token(aud=["other", "relay2"]), "fit"),
    "no audience": (lambda i: i.token(aud=None), "fit"),
    "expired": (lambda i: i.token(exp=int(time.time()) - 61), "expired"),
    "no end": (lambda i: i.token(exp=None), "nbf"),
    "an end that is no number": (lambda i: i.token(exp="2099-01-01"), "nbf"),
    "not yet": (lambda i: i.token(nbf=int(time.time()) + 120), "yet"),
    "a beginning that is no number": (lambda i: i.token(nbf="now"), "nbf"),
    "no member": (lambda i: i.token(sub=None), "fit"),
    "an empty member": (lambda i: i.token(sub=""), "fit"),
    "a long member": (lambda i: i.token(sub="a" * 600), "fit"),
}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """An issuer that all of these tokens are for."""
    running = Issuer(tmp_path_factory.mktemp("issuer"))
    yield running
    running.stop()


@pytest.mark.parametrize("more", [{}, {"ANONYMOUS_MODELS": "echo"}, PASSTHROUGH], ids=["keys", "anonymous", "passthrough"])
def test_no_other_token_is_accepted_or_served_as_a_strangers(start_relay, guarded, more):
    relay = start_relay(**ECHO | guarded.settings() | more)
    answers = {case: chat(client(relay, make(guarded))) for case, (make, _) in NOT_ACCEPTED.items()}
    assert {case: answer.status_code for case, answer in answers.items() if answer.status_code != 401} == {}
    errors = {case: answer.json()["error"] for case, answer in answers.items()}
    assert {error["code"] for error in errors.values()} == {"token_not_accepted"}
    assert {case: error["message"].rstrip(".").split(" ")[-1] for case, error in errors.items()} == {case: word for case, (_, word) in NOT_ACCEPTED.items()}
    accepted(relay, guarded.token(), guarded.token(aud=["other", "relay"]), guarded.token(iss=guarded.url + "/"))
    now = int(time.time())
    accepted(relay, guarded.token(exp=now - 5), guarded.token(nbf=now + 30), guarded.token(exp=1e300))


def test_no_token_reaches_a_vendor(start_relay, issuer, passed):
    relay = start_relay(**passed.settings | issuer.settings())
    tokens = [make(issuer) for make, _ in NOT_ACCEPTED.values()]
    foreign = issuer.token(iss="https://vendor.example")
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens] + [{name: foreign} for name in ("x-api-key", "api-key", "x-goog-api-key")]
    for header in headers:
        for path in (PATH, "/v1/messages", "/v1/embeddings", "/v1/models"):
            body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "input": "Hi", "max_tokens": 5}
            answer = local_http.request("GET" if path == "/v1/models" else "POST", relay.base_url + path, json=body, headers=header)
            assert answer.status_code == 401, answer.text
    assert not passed.seen


@pytest.mark.parametrize("with_issuer", [False, True])
def test_a_vendors_key_that_is_a_token_is_passed_on_where_no_issuer_is_set(start_relay, passed, issuer, with_issuer):
    relay = start_relay(**passed.settings | (issuer.settings() if with_issuer else {}))
    token = joined({"alg": "EdDSA"}, {"iss": "vendor"}, issuer.keys[2].sign)
    answer = chat(client(relay, token), model="m")
    assert answer.status_code == (401 if with_issuer else 200), answer.text
    assert ("/v1/chat/completions" in passed.seen) != with_issuer and bool(passed.seen) != with_issuer


def test_a_vendor_whose_own_keys_are_tokens_gets_those_of_other_issuers_alone(start_relay, passed, issuer):
    relay = start_relay(**passed.settings | issuer.settings() | {"PROVIDER_V_PASSTHROUGH": "jwt"})
    token = joined({"alg": "EdDSA"}, {"iss": "vendor"}, issuer.keys[2].sign)
    opaque = f"{token.split('.')[0]}.AAAA.AAAA"
    secrets.add(opaque)
    for key in (token, opaque):
        passed.seen.clear()
        assert chat(client(relay, key), model="m").status_code == 200
        assert "/v1/chat/completions" in passed.seen
    passed.seen.clear()
    accepted_by_nobody = [other_key(issuer), Key("RS256", "key-of-nobody")]
    rejected = [issuer.token(key) for key in accepted_by_nobody] + [issuer.token(aud="other"), issuer.token(exp=1), issuer.token(iss=issuer.url + "/")[:-4] + "AAAA"]
    assert [refusal(relay, key)[0] for key in rejected] == ["token_not_accepted"] * len(rejected)
    assert not passed.seen, "a token of the issuer never goes to a vendor"


def test_forged_tokens_are_guesses_and_ended_ones_are_not(start_relay, issuer):
    relay = start_relay(**ECHO | issuer.settings(), RATE_LIMIT_FAILED_AUTH="3/hour")
    old = issuer.token(exp=int(time.time()) - 100)
    assert [chat(client(relay, old)).status_code for _ in range(5)] == [401] * 5
    forged = [issuer.token(other_key(issuer)) for _ in range(5)]
    assert [chat(client(relay, token)).status_code for token in forged] == [401, 401, 401, 429, 429]


@pytest.mark.parametrize("fault", ["refused", "500", "name", "keys", "certificate"])
def test_an_issuer_that_is_away_at_the_start(start_relay, issuer, tmp_path, fault):
    settings = issuer.settings()
    if fault == "refused":
        settings["KEY_SSO_JWT_ISSUER"] = issuer.url = "https://127.0.0.1:1"
    elif fault == "500":
        issuer.status = 500
    elif fault == "name":
        issuer.named = "https://another.example"
    elif fault == "keys":
        issuer.keys = [issuer.keys[0]]
        issuer.keys[0].public = lambda: {"kty": "RSA", "n": "AQAB", "e": "AQAB"}
    else:
        settings.pop("SSL_CERT_FILE")
    relay = start_relay(**ECHO | settings)
    answer = chat(client(relay, issuer.token()))
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "issuer_unavailable", answer.text
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    asked = len(issuer.asked)
    assert chat(client(relay, issuer.token())).status_code == 503 and len(issuer.asked) == asked
    line = relay.wait_for_line(lambda line: line["message"] == "the keys of an issuer could not be read")
    assert line["issuer"] == issuer.url and line["cause"]


@preloads
def test_a_token_that_was_accepted_ends_at_its_time(start_relay, issuer, clock):
    wall = clock(0)
    relay = start_relay(**ECHO | issuer.settings(), **wall.environment)
    token = issuer.token(exp=int(time.time()) + 30)
    accepted(relay, token, token)
    wall.set(60)
    accepted(relay, token)
    wall.set(95)
    assert refusal(relay, token) == ("token_not_accepted", "expired")


def test_long_tokens(start_relay, issuer):
    relay = start_relay(**ECHO | issuer.settings())
    accepted(relay, issuer.token(groups=["g" * 100] * 100))
    for size, status in ((20_000, 401), (100_000, 431)):
        token = issuer.token(filler="x" * size)
        answer = local_http.post(relay.base_url + PATH, json={}, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status, answer.text
    filler = "x" * 600
    secrets.add(filler)
    assert chat(client(relay, filler)).status_code == 401, "a long key that is no token"
    assert issuer.asked == ["/realm/.well-known/openid-configuration", "/realm/keys"]


def test_members_are_revoked_and_end_as_those_of_families(start_relay, issuer, tmp_path):
    file = tmp_path / "relay.env"

    def write(**more):
        file.write_text("".join(f"{name}={value}\n" for name, value in (ECHO | issuer.settings() | more).items()))

    write()
    relay = start_relay(ENV_FILE=str(file))
    ann, mail, bob = issuer.token(), issuer.token(sub="eve@school.edu"), issuer.token(sub="bob")
    accepted(relay, ann, mail, bob)
    write(KEY_SSO_REVOKED="ann,eve@school.edu")
    local_http.post(f"{relay.base_url}/reload_config")
    assert refusal(relay, ann)[0] == refusal(relay, mail)[0] == "key_revoked"
    accepted(relay, bob)
    for setting, code in (("EXPIRES", "key_expired"), ("ENABLED", "key_disabled")):
        write(**{f"KEY_SSO_{setting}": "2020-01-31" if setting == "EXPIRES" else "false"})
        local_http.post(f"{relay.base_url}/reload_config")
        assert refusal(relay, bob)[0] == refusal(relay, bob)[0] == code
    assert len(issuer.asked) == 2, "a reload forgets no keys"


def test_a_claim_that_looks_like_a_digest_is_nobody_elses(start_relay, issuer, tmp_path):
    relay = start_relay(**ECHO | issuer.settings(), KEY_SSO_RATE_LIMIT="1/hour")
    digest = f"sha256-{hashlib.sha256(b'Ann').hexdigest()[:32]}"
    accepted(relay, issuer.token(sub="Ann"), issuer.token(sub=digest), issuer.token(sub="ann"))


def test_claims_choose_the_first_key_that_fits(start_relay, issuer):
    staff = issuer.settings("A_STAFF", KEY_A_STAFF_JWT_WHERE="realm_access.roles=staff; email_verified=True", KEY_A_STAFF_JWT_CLAIM="user.name")
    pupils = issuer.settings("B_PUPIL", KEY_B_PUPIL_JWT_WHERE="https://school.example/groups=cn=pupils", KEY_B_PUPIL_MODELS="none")
    relay = start_relay(**ECHO | staff | pupils | OPERATED)
    roles = {"realm_access": {"roles": ["guest", "staff"]}, "email_verified": True, "user": {"name": "jo"}}
    accepted(relay, issuer.token(**roles), issuer.token(**roles | {"https://school.example/groups": "cn=pupils"}))
    pupil = chat(client(relay, issuer.token(**{"https://school.example/groups": ["cn=pupils"], "sub": "kim"})))
    assert pupil.status_code == 404, "the models of the second key"
    for lacking in ({"email_verified": False}, {"realm_access": {"roles": "staff2"}}, {"realm_access": ["staff"]}, {"user": "jo"}):
        assert refusal(relay, issuer.token(**roles | lacking)) == ("token_not_accepted", "fit"), lacking
    operator = Operator(relay.base_url)
    wait_for(lambda: {"a-staff.jo", "b-pupil.kim"} <= {row["caller"] for row in operator.items("/admin/req_logs")})


ISSUER = {"KEY_A_JWT_ISSUER": "https://id.example", "KEY_A_JWT_AUDIENCE": "relay", "FILE_ID_SECRET": "0123456789-0123456789"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"KEY_A_JWT_ISSUER": "https://id.example"}, ["KEY_A_JWT_ISSUER needs KEY_A_JWT_AUDIENCE", "KEY_A_JWT_ISSUER needs FILE_ID_SECRET"]),
        (ISSUER | {"KEY_A_JWT_ISSUER": "http://id.example"}, ["KEY_A_JWT_ISSUER must be an https URL"]),
        (ISSUER | {"KEY_A_JWT_ISSUER": "id.example"}, ["KEY_A_JWT_ISSUER"]),
        (ISSUER | {"KEY_A_TOKEN": "token-0123456789-0123"}, ["KEY_A_JWT_ISSUER KEY_A_TOKEN is also set"]),
        (ISSUER | {"KEY_A_SECRET": "secret-0123456789-0123456789-0123456789"}, ["KEY_A_JWT_ISSUER KEY_A_SECRET is also set"]),
        (ISSUER | {"KEY_A_JWT_WHERE": "groups"}, ['KEY_A_JWT_WHERE "groups" is no claim with its value, as in groups=ai']),
        (ISSUER | {"KEY_A_REVOKED": "ann;eve"}, ['KEY_A_REVOKED "ann;eve" is no member; separate members by commas']),
        ({"KEY_A_TOKEN": "token-0123456789-0123", "KEY_A_JWT_WHERE": "a=b"}, ["KEY_A_JWT_WHERE belongs to signed tokens; set KEY_A_JWT_ISSUER"]),
        (
            ISSUER
            | {"PROVIDER_V_KIND": "openai", "PROVIDER_V_BASE_URL": "http://127.0.0.1:1/v1", "PROVIDER_V_MODELS": "m", "PROVIDER_V_PASSTHROUGH": "jwt"}
            | {"PROVIDER_W_KIND": "openai", "PROVIDER_W_BASE_URL": "http://127.0.0.1:1/v1", "PROVIDER_W_MODELS": "m", "PROVIDER_W_PASSTHROUGH": "true"},
            ["PROVIDER_W_PASSTHROUGH must be jwt, too"],
        ),
        ({"KEY_DEFAULT_JWT_ISSUER": "https://id.example"}, ["KEY_DEFAULT_JWT_ISSUER KEY_DEFAULT_... are what each key has"]),
    ],
)  # fmt: skip
def test_mistakes_in_the_settings_of_an_issuer(settings, expected):
    environment = INHERITED | {"ENV_FILE": "/dev/null"} | ECHO | settings
    done = subprocess.run([binary(), "check"], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    for text in expected:
        assert text in done.stderr.replace(":", "").replace("https//", "https://"), done.stderr


def test_the_settings_of_the_page_serve_members(start_relay, issuer):
    page = (Path(__file__).parents[2] / "docs/single-sign-on.md").read_text()
    settings = dict(line.split("=", 1) for line in page.split("```dotenv\n")[1].split("\n```")[0].split("\n"))
    secrets.update(value for name, value in settings.items() if name.endswith(("_SECRET", "_API_KEY")))
    environment = INHERITED | {"ENV_FILE": "/dev/null"} | settings
    done = subprocess.run([binary(), "check"], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    here = {"KEY_STAFF_JWT_ISSUER": issuer.url, "SSL_CERT_FILE": str(issuer.trusted)}
    relay = start_relay(**settings | here)
    claims = {"aud": settings["KEY_STAFF_JWT_AUDIENCE"], "preferred_username": "ann", "groups": ["ai-users"]}
    models = client(relay, issuer.token(**claims)).get("/v1/models")
    assert [row["id"] for row in models.json()["data"]] == ["gpt-4o-mini"]
    assert refusal(relay, issuer.token(**claims | {"groups": ["others"]})) == ("token_not_accepted", "fit")
