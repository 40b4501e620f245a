"""What this version does not do is refused with a clear 400, and never dropped in silence.

Each of these tests goes when its feature comes.
"""

import pytest
from chat import refusal

WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", [{"type": "function", "function": WEATHER}]),
        ("functions", [WEATHER]),
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}),
    ],
)
def test_fields(http, vendor, api_key, is_streamed, field, value):
    status, error, _ = refusal(http, is_streamed, **{field: value})
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "unsupported_parameter")
    assert error["param"] == field
    assert vendor.requests(api_key) == []
