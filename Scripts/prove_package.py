"""What Scripts/prove-package asks relays, from outside of their machines: `ask PORT TOKEN`, `serve PORT CERTIFICATE KEY`, or `aside FOLDER`."""

import http.server
import json
import sqlite3
import ssl
import sys
import urllib.request
from pathlib import Path


def ask(port: str, token: str, model: str = "echo") -> None:
    """Sends a chat with a token; an empty one sends none. Prints how many requests the caller may still send."""
    body = {"model": model, "messages": [{"role": "user", "content": "a question"}]}
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["choices"][0]["message"]["content"] == "a question"
        print(response.headers["x-ratelimit-remaining-requests"])


class Vendor(http.server.BaseHTTPRequestHandler):
    """A server of OpenAI's chats, which answers each with the question."""

    def do_POST(self) -> None:  # noqa: N802
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": asked["messages"][-1]["content"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice], "usage": usage}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(port: str, certificate: str, key: str) -> None:
    """Serves chats by HTTPS on 127.0.0.1 until it is killed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Vendor)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def aside(folder: str) -> None:
    """Prints how many requests are in the databases of newer relays that an older one has set aside in the folder."""
    files = [path for path in Path(folder).glob("usage.db.newer-*") if not path.name.endswith(("-wal", "-shm"))]
    print(sum(sqlite3.connect(path).execute("SELECT count(*) FROM records WHERE kind = 0").fetchone()[0] for path in files))


{"ask": ask, "serve": serve, "aside": aside}[sys.argv[1]](*sys.argv[2:])
