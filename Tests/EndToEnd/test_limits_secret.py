"""`STORE_SECRET`: a reader of memcached's keys cannot find callers and addresses by trying."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from ipaddress import IPv4Address

from conftest import memcached_of_file
from limited import chat, client
from memcached import Memcached, wait_for

SECRET = "a-secret-of-the-store"
NAMES = 10_000
ADDRESSES = 1 << 16
WARNING = "another relay at the counter store has another STORE_SECRET, or none; each counts callers by itself"


store = memcached_of_file()


def digest(text: str, characters: int) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).decode()[:characters]


def tried() -> set[str]:
    """Returns the plain digests of 127.0.0.0/16, and of many names."""
    first = int(IPv4Address("127.0.0.0"))
    addresses = {digest(f"address 4:{first + n}", 22) for n in range(ADDRESSES)}
    return addresses | {digest(f"known {digest(f'N{n}', 43)}", 22) for n in range(NAMES)}


def test_names_are_not_found_by_trying(launch, store):
    def started(port_of: Memcached, **secret: str):
        return launch(
            PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="echo", KEY_N7_TOKEN="sk-the-seventh-name", RATE_LIMIT="3/hour",
            MEMCACHED_SERVERS=port_of.address, MEMCACHED_TIMEOUT="5s", SLOT_SECONDS=5, **secret,
        )  # fmt: skip

    def names() -> set[str]:
        return {key.rpartition(":")[2] for key in store.keys()}

    plain = started(store)
    for token, address in ((None, "127.0.0.1"), (None, "127.0.7.9"), ("sk-the-seventh-name", "127.0.0.1")):
        with client(plain, token, address) as http:
            assert chat(http).status_code == 200
    guesses = tried()
    assert len(names() & guesses) == 3, "without a secret they are found"

    # A relay that lives on would put back what the store forgets.
    plain.stop()
    store.flush()
    sealed = [started(store, STORE_SECRET=SECRET) for _ in range(2)]
    wait_for(lambda: any(":known:" in key for key in store.keys()))
    for token, address in ((None, "127.0.0.1"), (None, "127.0.7.9"), ("sk-the-seventh-name", "127.0.0.1")):
        seen = []
        for relay in (sealed[0], sealed[1], sealed[0], sealed[1]):
            with client(relay, token, address) as http:
                seen.append(chat(http).status_code)
        assert seen == [200, 200, 200, 429], "they count together"
    assert not names() & guesses
    assert SECRET.encode() not in store.dump()
    for relay in (started(store), *sealed):
        relay.wait_for_line(lambda line: line.get("message") == WARNING, 20)
