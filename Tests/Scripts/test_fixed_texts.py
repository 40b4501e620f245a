"""Texts that programs depend on stay byte for byte in the sources, whatever else is reworded: clients compare codes and
messages, alert rules compare log lines, scripts read columns and exit statuses.
"""

from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "Sources"

# Each entry is a place below Sources ("" for anywhere), a template, and the texts that the template is filled with. A source
# must contain each of the results.
FIXED = [
    ("Shared/Errors/APIError.swift", 'contextLengthCode = "{}"', ["context_length_exceeded"]),
    ("", 'code: "{}"', """
        ambiguous_api_key array_above_max_length decimal_above_max_value decimal_below_min_value
        empty_array image_too_large insufficient_quota integer_above_max_value integer_below_min_value internal_error
        invalid_api_key invalid_base64_image invalid_image_format invalid_image_url invalid_type invalid_value
        method_not_allowed missing_required_parameter model_not_found nested_too_deeply overloaded permission_denied
        previous_response_not_found rate_limit_exceeded request_too_large store_unavailable string_above_max_length
        too_many_parts too_many_values unsupported_endpoint unsupported_media_type unsupported_parameter
        unsupported_value upgrade_not_supported upstream_error upstream_timeout""".split()),
    ("", 'type: "{}"', ["insufficient_quota", "requests", "server_error"]),
    ("Routes", '"{}"', """
        after background before best_of by caller chunking_strategy conversation expires_after file function_call id image
        input language logprobs mask max_tokens mcp_servers md5 messages min_cost model moderation.policy n name
        output_compression output_format partial_images previous_response_id prompt purpose quality response_format
        response_id seed size speed status stop stop_sequences stream stream_format stream_options
        stream_options.include_usage style suffix system temperature thinking.budget_tokens thread
        timestamp_granularities tool_choice tool_choice.name tool_choice.tools tool_choice.type tools type voice""".split()),
    ("Upstream", '"{}"', ["logprobs", "messages", "modalities", "prompt", "size", "web_search_options"]),
    # Names of log fields.
    ("", '.add("{}"', """
        act address ahead_ms attempts away_s cached caller cause completion_tokens connections_end_within_s cost count
        directory duration_ms error event failed first_byte_ms host id kept_as key listed loop method model models new panel
        port problem prompt_tokens provider reason request_id room_for route served_by server settings signal status stream
        success summary target threads to user version""".split()),
    # Messages of the log that the documents name, so that alert rules may compare them.
    ("", '"{}"', [
        "listening", "draining", "stopped", "configuration", "operator", "panel call", "models read", "models not read",
        "models end", "counter store is away", "counter store is back", "a counter was not readable, and is replaced",
        "a counter was ahead of all clocks and is moved back", "no new access token", "token counts are estimates",
        "this machine's clock is off; limits are corrected for it; check NTP", "usage records cannot be written",
        "another relay at the counter store has another STORE_SECRET, or none; each counts callers by itself",
        "limits hold for this relay alone until the counter store is reached; RATE_LIMIT_INSTANCES shares them out",
        "the process crashed",
    ]),
    # Messages to clients. Libraries search for the words of the context length.
    ("Upstream/Counting", "This model's {} is ", ["maximum context length"]),
    ("", "{}", [
        "Incorrect Endpoint. Please use the /v1/chat/completions endpoint.",
        r"Congratulations! Your API is working! You can now make requests to the API.\n\nEndpoint: ",
        "Incorrect API key provided", "No API key was provided. Send it as `Authorization: Bearer KEY`.",
        r"The model `\(shown)` does not exist or you do not have access to it.", "Content-Type must be application/json.",
        r"The model \(name.beginning(ofBytes: 100)) does not exist.", "The body is not valid JSON in UTF-8.",
        "The request body is too large", "The provider refused the relay.", r"\(path) is not offered here.",
        "no earlier message has this call", "is not a URL that this relay fetches", "this model takes no pictures",
        r"Rate limit reached for \(unit): \(what). Please try again in \(wait).",
        r"Request too large for \(unit): limit \(quota.text), requested ", r"All providers failed: \(summary)",
        r"Only \(good) of \(members.count) panel members answered (\(panel.minResponses) needed)",
        "401 key refused", "429 rate limited", "Field required", "No available instances", "API key not found",
        "Missing required field 'messages'", r"Model \(model.beginning(ofBytes: 100)) not found", "Configuration reloaded",
        "Configuration not changed", "Login successful", "Wrong username or password", "Not logged in",
    ]),
    # Marks of panels: clients send them back, and the relay removes them from the history.
    ("Upstream/Panels", "{}", [r'"\(member) \(isGood ? "✅" : "❌")\n"']),
    ("Shared/Configuration", '"{}"', ["Reference answer {n}: "]),
    # Problems of settings.
    ("", "{}", [
        "nobody may use this provider; set KEY_<NAME>_TOKEN or ANONYMOUS_MODELS", "this line is not NAME=value",
        "unknown variable", "matches no model of a provider that holds credentials", "must name the models",
        "a limit begins with a number, as in 60/minute", r"already set in line \(first)", "no window, as in ",
    ]),
    # Columns of `relay usage` and `relay limits`, and members of their JSON and of `relay models --json`.
    ("Relay/Reports/UsageReport.swift", '"{}"', ["CALLS", "REQUESTS", "FAILED", "PROMPT TOKENS", "COMPLETION TOKENS", "USD", "total"]),
    ("Relay/Reports/UsageReport.swift", '"{}"', ["calls", "requests"]),
    ("UsageRecords/Records/UsageFigures.swift", '"{}"', "failed prompt_tokens completion_tokens cost".split()),
    ("Relay/Reports/UsageReport.swift", '"{}":', "by from to rows total is_cut bad_lines".split()),
    ("Relay/LimitTable.swift", '"{}"', ["LIMIT", "OF", "USED", "LEFT", "ALL FREE IN"]),
    ("Relay/LimitTable.swift", '"{}":', ["caller", "limits", "limit"]),
    ("Relay/ModelTable.swift", '"{}":', "model provider upstream priority weight price shutdown_date".split()),
    ("Relay/ModelTable.swift", 'member: "{}"', ["list"]),
    # Exit statuses.
    ("Relay/Command.swift", "case {}\n", ["success = 0", "failure = 1", "usage = 64", "unavailable = 69", "configuration = 78"]),
]


@cache
def sources(place: str) -> str:
    top = SOURCES / place
    files = [top] if top.is_file() else sorted(top.rglob("*.swift"))
    return "\n".join(file.read_text() for file in files)


@pytest.mark.parametrize("place, template, texts", FIXED)
def test_sources_have_the_fixed_texts(place: str, template: str, texts: list[str]) -> None:
    wanted = [template.replace("{}", text) for text in texts]
    assert [text for text in wanted if text not in sources(place)] == []
