"""Requests over plain HTTP on this machine, by `httpx` without certificates.

`httpx` loads the bundle of certificates for each client that might check one, so for each `httpx.get`: 20 ms of processor time.
Without it, a client still makes a context of its own, which is most of what making a client takes.
"""

import ssl
from functools import partial

import httpx

UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE
OPTIONS = {"verify": UNVERIFIED, "trust_env": False}

get, head, options, post, request, stream = (
    partial(function, **OPTIONS) for function in (httpx.get, httpx.head, httpx.options, httpx.post, httpx.request, httpx.stream)
)
Client = partial(httpx.Client, **OPTIONS)
AsyncClient = partial(httpx.AsyncClient, **OPTIONS)
