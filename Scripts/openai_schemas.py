"""Extracts the schemas that the end-to-end tests validate answers with.

    python Scripts/openai_schemas.py OPENAPI.json [-o Tests/EndToEnd/schemas/openai.json]

OPENAPI.json is OpenAI's OpenAPI 3.1 document as JSON. The outcome is one JSON Schema (2020-12) document,
`{"$defs": {name: schema}}`, with the schemas named in ROOTS and all they refer to; descriptions, examples and
vendor extensions are left out. Besides it has `"requests"`: {name: names of the properties} of those named in REQUESTS.
"""

import argparse
import json
from pathlib import Path
from typing import Any

ROOTS = (
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "ListModelsResponse",
    "Model",
    "CreateCompletionResponse",
    "ErrorResponse",
    "ImagesResponse",
    "OpenAIFile",
    "ListFilesResponse",
    "DeleteFileResponse",
    "CreateTranscriptionResponseJson",
    "CreateTranscriptionResponseVerboseJson",
    "CreateTranslationResponseJson",
    "CreateTranslationResponseVerboseJson",
    "Response",
    "Item",
    "ResponseUsage",
    "CompactionBody",
    "ResponseCreatedEvent",
    "ResponseInProgressEvent",
    "ResponseCompletedEvent",
    "ResponseIncompleteEvent",
    "ResponseFailedEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseTextDeltaEvent",
    "ResponseOutputTextAnnotationAddedEvent",
    "ResponseTextDoneEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
)
REQUESTS = ("CreateChatCompletionRequest", "CreateCompletionRequest", "CreateResponse")
"""Whose properties' names are listed."""
REF = "#/components/schemas/"
NOISE = {"description", "example", "examples", "title", "deprecated"}
NAME_MAPS = {"properties", "patternProperties", "$defs"}
"""Keywords whose members are names that somebody chose, not keywords."""


def cleaned(schema: Any, found: set[str]) -> Any:
    """`schema` without noise, references pointing into `$defs`; the names referred to are added to `found`."""
    if isinstance(schema, list):
        return [cleaned(item, found) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in NAME_MAPS:
            out[key] = {name: cleaned(member, found) for name, member in value.items()}
        elif key == "$ref":
            name = value.removeprefix(REF)
            found.add(name)
            out[key] = f"#/$defs/{name}"
        elif key not in NOISE and not key.startswith("x-"):
            out[key] = cleaned(value, found)
    return out


def extract(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the `$defs` document for ROOTS."""
    source = document["components"]["schemas"]
    wanted, done = set(ROOTS), {}
    while wanted:
        name = wanted.pop()
        found: set[str] = set()
        done[name] = cleaned(source[name], found)
        wanted |= found - done.keys()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {name: done[name] for name in sorted(done)},
        "requests": {name: sorted(properties(source, name)) for name in REQUESTS},
    }


def properties(source: dict[str, Any], name: str) -> set[str]:
    """Returns the names of the properties of a schema and of the schemas that it is made of."""
    schema = source[name]
    found = set(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= properties(source, part["$ref"].removeprefix(REF)) if "$ref" in part else set(part.get("properties", {}))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    default = Path(__file__).parent.parent / "Tests/EndToEnd/schemas/openai.json"
    parser.add_argument("-o", "--output", type=Path, default=default)
    options = parser.parse_args()
    schemas = extract(json.loads(options.document.read_text("utf-8")))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(schemas, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
