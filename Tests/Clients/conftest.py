"""A relay in front of the fake vendor, whose model follows rules (`onemin_acting`)."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "EndToEnd"))

from relay_process import Relay
from vendor import Vendor

MODEL = "gpt-4o-mini"


@pytest.fixture(scope="session")
def vendor() -> Iterator[Vendor]:
    running = Vendor()
    yield running
    assert running.take_violations() == []
    running.stop()


@pytest.fixture(scope="session")
def relay(vendor: Vendor) -> Iterator[Relay]:
    running = Relay({"ONE_MIN_BASE_URL": vendor.base_url, "ONE_MIN_ASSET_URL": vendor.asset_url})
    yield running
    running.stop()


@pytest.fixture(scope="session")
def key(vendor: Vendor) -> str:
    made = f"key-{uuid.uuid4().hex}"
    vendor.answers(made, {"acts": True})
    return made
