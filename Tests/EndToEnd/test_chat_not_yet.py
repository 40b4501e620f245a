"""What this version does not do is refused with a clear 400, and never dropped in silence.

Each of these tests goes when its feature comes.
"""

import pytest
from chat import refusal

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", [{"type": "function", "function": WEATHER}]),
        ("functions", [WEATHER]),
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}),
        ("file_ids", ["file-1"]),
    ],
)
def test_fields(http, vendor, api_key, is_streamed, field, value):
    status, error, _ = refusal(http, is_streamed, **{field: value})
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "unsupported_parameter")
    assert error["param"] == field
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize("model", ["gpt-4o-mini", "o3-mini"], ids=["vision", "blind"])
@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": PIXEL},
        {"type": "input_image", "image_url": PIXEL},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,YQ=="}},
    ],
    ids=lambda part: part["type"],
)
def test_parts(http, vendor, api_key, model, part):
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}]
    status, error, _ = refusal(http, model=model, messages=messages)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert error["param"].startswith("messages")
    assert error["code"] in ("unsupported_value", "unsupported_parameter")
    assert vendor.requests(api_key) == []
