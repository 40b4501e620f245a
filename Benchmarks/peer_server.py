"""A small HTTP server that limits its callers with the Python package `limits`; one process of several.

    peer_server.py PORT off|fixed|sliding LIMIT MEMCACHED_PORT

Run with `-P`: limits.py beside it is not that package. A caller is its bearer. What is admitted gets the fake vendor's last words, the rest 429."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from limits import parse, strategies
from limits.storage import MemcachedStorage

STRATEGIES = {
    "fixed": strategies.FixedWindowRateLimiter,
    "sliding": strategies.SlidingWindowCounterRateLimiter,
}
ADMITTED, REFUSED = b'{"text":"The end."}', b'{"error":"too many requests"}'


def main() -> None:
    port, strategy, text, store_port = sys.argv[1:]
    limit = parse(text)
    # A connection for each thread that asks, as the package has it.
    limiter = None
    if strategy != "off":
        limiter = STRATEGIES[strategy](MemcachedStorage(f"memcached://127.0.0.1:{store_port}", no_delay=True))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one write

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            is_admitted = limiter is None or limiter.hit(limit, self.headers["Authorization"].split()[1])
            body = ADMITTED if is_admitted else REFUSED
            self.send_response(200 if is_admitted else 429)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    Server(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
