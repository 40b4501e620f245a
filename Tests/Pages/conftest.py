"""One relay with records (`world`), and Debian's Chromium before it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "EndToEnd"))

import world
from relay_process import Relay


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    running = world.started(tmp_path_factory.mktemp("data"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, "Chromium is missing: Scripts/setup page installs it"
    with sync_playwright() as playwright:
        # Its sandbox is not to be had as root; only pages of this relay are opened.
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield running
        running.close()


class Visitor:
    """A page in a browser's window of its own. What it complains of, and each address that it asks, is kept."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(20_000)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def log_in(self, password: str = world.PASSWORD) -> None:
        self.page.goto(f"{self.url}/admin")
        self.page.fill("#username", "admin")
        self.page.fill("#password", password)
        self.page.click("#login button")

    def show(self, view: str) -> None:
        """Goes to `requests?status=failed`, and waits until its data are there."""
        self.page.evaluate("view => { location.hash = `#/${view}` }", view)
        self.settle(view.partition("?")[0])

    def settle(self, view: str) -> None:
        self.page.wait_for_selector(f'nav a[href="#/{view}"][aria-current=page]')
        self.page.wait_for_selector("#main:not([aria-busy])")
        if view == "overview":
            self.page.wait_for_selector("#main .tiles >> text=yesterday")

    def arrive(self, url: str, view: str) -> None:
        """Waits for the address, and for the data of its view."""
        self.page.wait_for_url(url)
        self.settle(view)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def assert_content(self) -> None:
        """Nothing was complained of, and nobody else was asked for anything."""
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith((self.url + "/", "data:"))] == []


@pytest.fixture
def visit(browser: Browser, relay: Relay) -> Iterator[Callable[..., Visitor]]:
    """`visit(width=, scheme=)`: somebody who is logged in; `user=False`: somebody who is not."""
    visitors: list[Visitor] = []

    def visiting(width: int = 1280, scheme: str = "light", *, user: bool = True, url: str | None = None) -> Visitor:
        # Each one comes from an address of its own: logins are counted by address.
        headers = {"X-Forwarded-For": f"10.0.{len(visitors)}.{os.urandom(1)[0]}"}
        visitors.append(
            Visitor(browser, url or relay.base_url, viewport={"width": width, "height": 900}, color_scheme=scheme, extra_http_headers=headers)
        )
        if user:
            visitors[-1].log_in()
            visitors[-1].settle("overview")
        return visitors[-1]

    yield visiting
    for visitor in visitors:
        visitor.context.close()
