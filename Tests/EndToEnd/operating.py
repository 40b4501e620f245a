"""The operator's side of relays: logins, and plain requests below `/admin`."""

from typing import Any

import httpx
import local_http

PASSWORD = "correct-horse-battery"
SECRET = "a-session-secret-of-the-tests"
ECHO = {"PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "all"}
SETTINGS = ECHO | {"ADMIN_PASSWORD": PASSWORD, "ADMIN_SESSION_SECRET": SECRET, "TRUSTED_PROXIES": "127.0.0.0/8"}


def login(relay_url: str, password: str = PASSWORD, user: str = "admin", **headers: str) -> httpx.Response:
    body = {"username": user, "password": password}
    return local_http.post(f"{relay_url}/admin/login", json=body, headers={"X-Forwarded-For": "10.1.1.1"} | headers)


def token(relay_url: str, address: str = "10.9.9.9") -> str:
    answer = login(relay_url, **{"X-Forwarded-For": address})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["token"]


class Operator:
    """An operator who is logged in at a relay, by the token in the header."""

    def __init__(self, relay_url: str, session: str | None = None, address: str = "10.9.9.9") -> None:
        self.url = relay_url
        self.token = session or token(relay_url, address)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return local_http.request(method, self.url + path, headers=headers, timeout=30, **options)

    def get(self, path: str, **fields: Any) -> httpx.Response:
        return self.ask("GET", path, params=fields or None)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.ask("POST", path, json=body if body is not None else {})

    def data(self, path: str, **fields: Any) -> Any:
        answer = self.get(path, **fields)
        assert answer.status_code == 200 and answer.json()["status"] == 0, answer.text
        return answer.json()["data"]

    def items(self, path: str, **fields: Any) -> list[Any]:
        answer = self.get(path, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]
