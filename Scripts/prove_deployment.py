"""Checks of a running deployment through its published port, for Scripts/prove-image and prove-package: PORT CHECK [ID]."""

import http.client
import json
import os
import socket
import sys
import threading
import time

PORT = int(sys.argv[1])
# Unlike 127.0.0.1, on the way to this address a caller's own address is kept until it is inside the container.
HOST = os.environ.get("RELAY_HOST", "10.231.0.1")
LIMIT = 50
CALLS = 150


def connect(source=None):
    return http.client.HTTPConnection(HOST, PORT, timeout=60, source_address=(source, 0) if source else None)


def send(connection, path, body=None, **fields):
    headers = {"Content-Type": "application/json", **fields}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("GET" if data is None else "POST", path, data, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def call(path, body=None, source=None, **fields):
    """Sends one request on its own connection. Returns status, headers and text."""
    connection = connect(source)
    try:
        return send(connection, path, body, **fields)
    finally:
        connection.close()


def question(text, **more):
    return {"model": "echo", "messages": [{"role": "user", "content": text}], **more}


def begin_stream(text, **fields):
    connection = connect()
    body = json.dumps(question(text, stream=True))
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", **fields})
    return connection, connection.getresponse()


def expect(name, found, wanted):
    if found != wanted:
        sys.exit(f"prove-image: {name}: {str(found)[:500]}, not {wanted}")
    print(f"ok: {name}: {str(found)[:80]}")


def check_api():
    status, _, text = call("/v1/models")
    expect("models", (status, [model["id"] for model in json.loads(text)["data"]]), (200, ["echo"]))

    words = "A word through the published port"
    status, _, text = call("/v1/chat/completions", question(words))
    expect("chat", (status, json.loads(text)["choices"][0]["message"]["content"]), (200, words))

    # The relay's bound on bodies holds, no smaller one of the proxy, and its refusal arrives.
    long = "word " * 1_000_000
    status, _, text = call("/v1/chat/completions", question(long))
    expect("a body of 5 MB comes back", (status, len(text) > len(long)), (200, True))
    status, _, text = call("/v1/chat/completions", b" " * (33 << 20))
    expect("a body of 33 MB", (status, "error" in json.loads(text)), (413, True))

    for path in ("/metrics", "/ready", "/x/../metrics", "//ready", "/%6detrics?a", "/metrics/", "/ready%2f", "/METRICS"):
        status, _, text = call(path)
        expect(f"{path} from outside", (status, json.loads(text)["error"]["message"]), (404, "Invalid URL"))
    check_stream()


def check_stream():
    """Checks that chunks arrive one by one. The vendor waits before each one; a proxy that buffers would send all at
    once."""
    connection, answer = begin_stream("!delay=1000 one two three four five")
    expect("X-Accel-Buffering of a stream", answer.headers["X-Accel-Buffering"], "no")
    times = []
    last = b""
    while line := answer.readline():
        if line.startswith(b"data: "):
            times.append(time.monotonic())
            last = line
    connection.close()
    expect("last event of a stream", last.strip(), b"data: [DONE]")
    expect("the first event of a stream comes more than two seconds before the last", times[-1] - times[0] > 2, True)


def check_spread(prefix):
    statuses = {call("/v1/models/echo", id=f"{prefix}-{number}")[0] for number in range(40)}
    expect(f"statuses of 40 requests '{prefix}'", statuses, {200})


def check_leave(name):
    """Leaves a stream of one chunk in four seconds after its first."""
    connection, answer = begin_stream("!delay=4000" + " word" * 300, id=name)
    expect("first line of a stream to leave", answer.readline()[:6], b"data: ")
    connection.close()


def ask_at_once(source, count):
    """Sends `count` chats of one caller at once, when all connections are open. Returns the responses."""
    answers = []
    gate = threading.Barrier(count)

    def ask(number):
        try:
            connection = connect(source)
            connection.connect()
            gate.wait(60)
            answers.append(send(connection, "/v1/chat/completions", question("limited"), id=f"limits-{number}"))
            connection.close()
        except (OSError, http.client.HTTPException, threading.BrokenBarrierError) as error:
            answers.append((repr(error), {}, ""))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def check_refusal(name, answer):
    status, headers, text = answer
    code = json.loads(text)["error"]["code"] if status == 429 else None
    wait = int(headers["Retry-After"] or 0)
    if (status, code, headers["X-Relay-Limited-By"]) != (429, "rate_limit_exceeded", "relay") or not 1 <= wait <= 61:
        sys.exit(f"prove-image: {name} is no refusal as promised: {status}\n{headers}\n{text[:500]}")


def check_limits():
    answers = ask_at_once("203.0.113.7", CALLS)
    statuses = [answer[0] for answer in answers]
    counts = {status: statuses.count(status) for status in sorted(set(statuses), key=str)}
    if counts == {200: CALLS}:
        sys.exit(f"prove-image: THE RELAY DOES NOT LIMIT: {CALLS} calls at {LIMIT}/minute, all were admitted")
    expect(f"{CALLS} calls of one caller at once, over all relays", counts, {200: LIMIT, 429: CALLS - LIMIT})
    for answer in answers:
        if answer[0] == 429:
            check_refusal("one of them", answer)
    print("ok: each refusal says by whom and, in Retry-After, for how long")

    for number in range(10):
        forged = {"X-Forwarded-For": f"198.51.100.{number}"}
        answer = call("/v1/chat/completions", question("forged"), source="203.0.113.7", **forged)
        check_refusal("the same caller with a forged X-Forwarded-For", answer)
    print("ok: a forged X-Forwarded-For makes nobody another caller")

    for other in ("203.0.113.8", "10.231.0.9"):
        expect(f"status of another caller, {other}", call("/v1/chat/completions", question("other"), source=other)[0], 200)


HALF_SENT = 200


def check_memory():
    """Sends 200 incomplete bodies of 32 MB of one caller, and checks that small chats of another succeed meanwhile."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        "Content-Length: 33554432\r\n\r\n"
    )
    piece = b" " * (1 << 18)
    greedy = []
    for _ in range(HALF_SENT):
        sock = socket.create_connection((HOST, PORT), timeout=60, source_address=("203.0.113.8", 0))
        sock.sendall(head.encode())
        sock.setblocking(False)
        greedy.append([sock, 0])
    statuses, asks, ends = [], time.monotonic(), time.monotonic() + 30
    while time.monotonic() < ends:
        for one in greedy:
            try:
                one[1] += one[0].send(piece) if one[1] < 29 << 20 else 0
            except OSError:  # taken no more for now, or refused
                pass
        if time.monotonic() > asks:
            statuses.append(call("/v1/chat/completions", question("meanwhile"), source="203.0.113.9")[0])
            asks += 1.5  # below the limit of that caller
    for sock, _ in greedy:
        sock.close()
    expect(f"statuses of {len(statuses)} chats beside {HALF_SENT} half-sent bodies", set(statuses), {200})


def check_load(token, end):
    """Sends requests from eight clients with a known key, half of them streams: until the file `end` exists, at least 50 each."""
    authorization = f"Bearer {token}"
    failures = []
    counts = [0] * 8

    def ask(client):
        while counts[client] < 50 or not os.path.exists(end):
            text = f"!delay=50 question {counts[client]} of client {client}"
            try:
                if client % 2:
                    connection, answer = begin_stream(text, Authorization=authorization)
                    status, complete = answer.status, answer.read().endswith(b"data: [DONE]\n\n")
                    connection.close()
                else:
                    status, _, body = call("/v1/chat/completions", question(text), Authorization=authorization)
                    complete = f"of client {client}" in body
                if not (status == 200 and complete):
                    failures.append(f"status {status}, complete: {complete}")
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            counts[client] += 1

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(f"of {sum(counts)} requests those that failed", failures, [])


def check_replaced(token, name):
    """Checks a relay with the new settings and the new token of a known key."""
    status, headers, text = call("/v1/models", Authorization=f"Bearer {token}", id=name)
    models = [model["id"] for model in json.loads(text)["data"]]
    limit = headers["x-ratelimit-limit-requests"]
    expect("models, and the limit of the key", (status, models, limit), (200, ["echo", "parrot"], "100000"))


CHECKS = {
    "api": check_api,
    "leave": check_leave,
    "limits": check_limits,
    "load": check_load,
    "memory": check_memory,
    "replaced": check_replaced,
    "spread": check_spread,
}
CHECKS[sys.argv[2]](*sys.argv[3:])
