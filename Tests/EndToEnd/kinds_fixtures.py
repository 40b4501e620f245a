"""Fixtures of one relay in front of fakes of all kinds."""

from collections.abc import Callable, Iterator

import pytest
from all_kinds import Kinds
from relay_process import Relay
from vendor import Vendor


@pytest.fixture(scope="module")
def all_kinds(launch: Callable[..., Relay], vendor: Vendor) -> Iterator[Kinds]:
    running = Kinds(launch, vendor)
    yield running
    running.stop()


@pytest.fixture
def kinds(all_kinds: Kinds) -> Iterator[Kinds]:
    """`all_kinds`, whose requests must be without violations."""
    yield all_kinds
    assert all_kinds.take_violations() == []
