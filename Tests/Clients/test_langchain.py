"""LangChain's standard tests of chat models."""

from typing import Any

import httpx
import pictures
import pytest
from conftest import MODEL
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

PICTURE = pictures.picture("client")
SOUND = pictures.audio("client", "wav")
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def fetched(url: str, **_: Any) -> httpx.Response:
    """Replaces the network, from which the suite downloads its images and documents."""
    content = {".pdf": PDF, ".wav": SOUND}.get(url[-4:], PICTURE)
    return httpx.Response(200, content=content, request=httpx.Request("GET", url))


class TestChatCompletions(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _relay(self, relay, key, monkeypatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", relay.v1)
        monkeypatch.setenv("OPENAI_API_KEY", key)
        monkeypatch.setattr(httpx, "get", fetched)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "stream_usage": True, "max_retries": 0}

    @property
    def model_override_value(self) -> str:
        return "gpt-4o"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True


class TestResponses(TestChatCompletions):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "use_responses_api": True, "max_retries": 0}

    @property
    def supports_audio_inputs(self) -> bool:
        """Returns False: the Responses API has no audio inputs."""
        return False
