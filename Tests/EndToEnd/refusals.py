"""What a refusal of the relay says."""

from __future__ import annotations

import httpx


def refusal(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    """The status, `code` and `param` of an error in OpenAI's form."""
    assert answer.status_code >= 400, answer.headers
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]
