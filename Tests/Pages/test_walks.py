"""Walks through the admin page in a browser: each view at the width of a phone and of a desk, light and dark."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable

import local_http
import pytest
import world
from axe_playwright_python.sync_playwright import Axe
from colours import SIGHTS, contrast, distance
from conftest import Visitor
from playwright.sync_api import Route
from relay_process import Relay, binary
from world import HOSTILE

VIEWS = ["overview", "requests", "usage", "keys", "limits", "providers", "cache", "settings", "clients"]
FORMS = [(360, "dark"), (1280, "light"), (360, "light"), (1280, "dark")]


def assert_fits(visitor: Visitor, what: str) -> None:
    wide = visitor.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{what} is wider than the window: {wide}"


def assert_reachable(visitor: Visitor, what: str) -> None:
    """axe's rules, with those of contrast; and each control can have the focus."""
    found = Axe().run(visitor.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
    faults = [f"{fault['id']}: {node['html'][:200]}" for fault in found.response["violations"] for node in fault["nodes"]]
    assert faults[:5] == [], f"{what}: {len(faults)} faults of axe's rules"
    skipped = visitor.page.evaluate(
        """[...document.querySelectorAll("a, button, input, select, summary")]
        .filter((control) => control.checkVisibility() && !control.disabled && control.tabIndex < 0).map((control) => control.outerHTML)"""
    )
    assert skipped == []


def assert_good(visitor: Visitor, what: str) -> None:
    assert_fits(visitor, what)
    assert_reachable(visitor, what)


@pytest.mark.parametrize(("width", "scheme"), [pytest.param(*form, marks=[pytest.mark.short] if place == 0 else []) for place, form in enumerate(FORMS)])
def test_each_view(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    for view in VIEWS:
        visitor.show(view)
        assert visitor.page.locator("#main h1").inner_text() == view.capitalize()
        assert_good(visitor, view)
    visitor.show("usage?measure=cost")
    visitor.page.click("text=Table")
    assert_good(visitor, "a chart as a table")
    visitor.show("requests?status=failed")
    visitor.page.locator("tbody th a").first.click()
    visitor.page.wait_for_selector("dialog[open] .facts")
    assert_good(visitor, "detail")
    visitor.press("Escape")
    visitor.page.wait_for_selector("dialog", state="detached")
    visitor.assert_content()


@pytest.mark.short
def test_login_and_logout(visit: Callable[..., Visitor]) -> None:
    visitor = visit(360, "dark", user=False)
    visitor.page.goto(f"{visitor.url}/admin")
    assert "admin, unless ADMIN_USERNAME is set" in visitor.page.locator("#login").inner_text()
    assert visitor.page.locator("#username").input_value() == "admin", "the password alone is left to type"
    assert visitor.page.evaluate("document.activeElement.id") == "password"
    visitor.log_in("not-the-password")
    visitor.page.wait_for_selector("#login .refusal >> text=Wrong username or password")
    assert_good(visitor, "login")
    assert visitor.page.locator("#main").is_hidden()
    visitor.complaints.clear()  # the browser's own word on the status 401
    visitor.page.fill("#password", world.PASSWORD)
    visitor.press("Enter")
    visitor.settle("overview")
    visitor.page.click("text=Log out")
    visitor.page.wait_for_selector("#login >> visible=true")
    assert visitor.page.url.endswith("/admin")
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_rates_and_means_of_what_is_filtered(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    visitor.show("requests")
    form = r"The newest 2,000: [0-9.]+ % failed \([0-9.]+ % with 5xx\), half within [0-9.]+ m?s, 95 % within [0-9.]+ s, [0-9,]+ tokens and (≥ )?\$[0-9.]+ a request, [0-9.]+ requests a minute\."
    assert re.fullmatch(form, page.locator(".figures").inner_text()), page.locator(".figures").inner_text()
    assert page.evaluate("document.querySelector('.figures').offsetHeight") <= (30 if width > 1000 else 90), "its place is kept free"
    assert_good(visitor, "figures")
    visitor.show("requests?status=failures&model=code")
    assert re.match("All [0-9]+: 100 % failed \\(100 % with 5xx\\), ", page.locator(".figures").inner_text())
    told = {"requests": 204, "failed": 0, "failures": 0, "p50_ms": 5, "p95_ms": 9, "prompt_tokens": 0, "completion_tokens": 204, "cost": None}
    page.route("**/admin/req_figures*", lambda route: route.fulfill(json={"data": told, "instance": "one"}))
    for span, rate in ((59_999, ""), (60_000, ", 200 requests a minute")):
        told["span_ms"] = span
        visitor.show(f"requests?model=code-{span}")
        assert page.locator(".figures").inner_text().endswith(f", 1 tokens a request{rate}."), "no rate of half a second"
    page.unroute("**/admin/req_figures*")
    visitor.show("requests?caller=nobody")
    assert page.locator(".figures").inner_text() == ""
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_failures_are_told_from_refusals(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    """The tiles lead to the requests that they count."""
    visitor = visit(width, scheme)
    page = visitor.page
    for tile, status, found in (("Failures", "failures", "50"), ("Refused", "refusals", "429")):
        visitor.show("overview")
        page.wait_for_selector("#main .tiles >> text=in the last 5 minutes")
        part = page.locator(".tiles div", has_text=tile)
        number = int(part.locator("dd").first.inner_text().replace(",", ""))
        assert_good(visitor, "tiles")
        part.locator("dt a").click()
        visitor.arrive(f"**/admin#/requests?status={status}&last=1h", "requests")
        assert page.locator("select[name=status]").input_value() == status
        codes = page.locator("td.status span").all_inner_texts()
        assert bool(codes) >= bool(number) and all(code.startswith(found) for code in codes if code.isdigit()), codes
    page.select_option("select[name=status]", "client_errors")
    visitor.arrive("**status=client_errors&last=1h", "requests")
    assert page.locator("td.status", has_text=re.compile("429|50")).count() == 0
    assert_fits(visitor, "client errors")
    visitor.assert_content()


def test_a_session_that_ends_asks_for_a_login_and_goes_on_there(visit: Callable[..., Visitor], relay: Relay) -> None:
    visitor = visit()
    visitor.show("usage?by=caller")
    visitor.context.clear_cookies()
    visitor.press("r")
    visitor.page.wait_for_selector("text=The session has ended. Log in again.")
    visitor.page.fill("#username", "admin")
    visitor.page.fill("#password", world.PASSWORD)
    visitor.press("Enter")
    visitor.settle("usage")
    assert visitor.page.locator("select[name=by]").input_value() == "caller"


@pytest.mark.short
def test_a_session_that_the_browser_does_not_keep(visit: Callable[..., Visitor]) -> None:
    """As browsers treat a cookie for https that came over http."""
    visitor = visit(user=False)
    visitor.page.route("**/admin/login", lambda route: route.fulfill(json={"status": 0, "data": {"token": "t", "viewer": False}}))
    visitor.log_in()
    visitor.page.wait_for_selector("#login .refusal >> text=The browser did not keep the session. If PUBLIC_URL begins with https, open")
    assert_fits(visitor, "login")


@pytest.mark.short
def test_no_stray_zero(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("requests?model=large&status=completed")
    assert re.search(r"[0-9] tokens and \$[0-9.]+ a request", page.locator(".figures").inner_text())
    visitor.show("requests?status=404")
    page.locator("tbody th a").first.click()
    page.wait_for_selector("dialog[open] .facts")
    facts = page.locator("dialog .facts").inner_text()
    assert "Cost\n–" in facts and "Counted in" not in facts, "no vendor was asked, and no limit counted it"
    visitor.press("Escape")
    page.wait_for_selector("dialog", state="detached")

    def priced(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"sum": told["sum"] | {"unpriced": 0}})

    page.route("**/admin/timeline*", priced)
    visitor.show("usage")
    assert page.locator(".stale p.dim").inner_text().endswith("no known price.")

    def unused(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"items": [item | {"priority": 0, "weight": 0} for item in told["items"]]})

    page.route("**/admin/provider", unused)
    visitor.show("providers")
    provider = page.locator("section[aria-label=main]")
    assert "priority 0" in provider.inner_text() and provider.locator("tbody tr td").first.inner_text() == "0", "a number is no stray zero"
    visitor.assert_content()


@pytest.mark.short
def test_hostile_text_is_text(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    for view in ("requests?keywords=planted", "usage?by=model", "usage?by=caller", "usage?by=provider", "usage?by=endpoint"):
        visitor.show(view)
        assert "<script>document.title='planted'</script>\"'><img src=x onerror=alert(1)><U+0007><U+202e>txt" in page.locator("#main").inner_text()
    visitor.show("requests?keywords=idplanted")
    visitor.show("requests?keywords=id%3Cscript")
    page.locator("tbody th a").first.click()
    detail = page.locator("dialog")
    page.wait_for_selector("dialog .facts")
    for word in ("id<script>", "/e<script>", "caller<script>", "model<script>", "used<script>", "provider<script>", "key<script>", "error<script>"):
        assert word in detail.inner_text(), word
    assert page.title().startswith("relay") and page.evaluate("document.querySelectorAll('img, main script, dialog script').length") == 0
    visitor.assert_content()


def test_filters_and_pages_are_in_the_address(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("requests")
    visitor.press("/")
    assert page.evaluate("document.activeElement.name") == "keywords"
    visitor.press("Escape")
    page.select_option("select[name=status]", "failed")
    visitor.arrive("**/admin#/requests?status=failed", "requests")
    assert set(page.locator("tbody td:nth-child(7) > span:first-child").all_inner_texts()) <= {"404", "502", "429"}
    page.fill("input[name=model]", "code")
    visitor.press("Enter")
    visitor.arrive("**/admin#/requests?status=failed&model=code", "requests")
    assert page.locator("tbody tr").count() > 5
    page.click("text=More filters")
    page.fill("input[name=min_cost]", "99")
    visitor.press("Enter")
    page.wait_for_selector("text=No request matches these filters")
    page.click("#main >> text=Clear the filters")
    visitor.arrive("**/admin#/requests", "requests")
    first = page.locator("tbody th a").first.get_attribute("href")
    page.click("text=Older")
    visitor.arrive("**before=*", "requests")
    assert page.locator("tbody th a").first.get_attribute("href") != first
    page.go_back()
    visitor.settle("requests")
    assert page.locator("tbody th a").first.get_attribute("href") == first
    page.reload()
    visitor.settle("requests")
    visitor.assert_content()


def test_the_keyboard_alone(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("requests")
    visitor.press("j", "j", "j", "k")
    href = page.evaluate("document.activeElement.hash")
    assert href == page.locator("tbody th a").nth(1).get_attribute("href")
    visitor.press("Enter")
    page.wait_for_selector("dialog[open] .facts")
    visitor.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.hash") == href, "the focus is where it was"


def test_times_to_look_at_a_minute_and_a_day(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    page.locator("[data-part=outcome] .chart g").last.click(force=True)
    visitor.arrive("**/requests?from=*Z&to=*Z", "requests")
    visitor.show("usage")
    page.locator(".chart g").last.click(force=True)
    visitor.arrive("**/requests?from=*&to=*", "requests")
    start, end = (datetime.datetime.fromisoformat(page.locator(f"input[name={name}]").input_value()) for name in ("from", "to"))
    assert end - start == datetime.timedelta(hours=8)
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), pytest.param(390, "dark", marks=pytest.mark.short)])
def test_nothing_lies_over_a_list(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    tops = page.locator("nav a").evaluate_all("links => links.map((link) => link.getBoundingClientRect().top)")
    assert len(tops) == 9 and len(set(tops)) == 1, "the menu is one row"
    for view in ("clients", "requests?status=failed"):
        visitor.show(view)
        link = page.locator("nav a[aria-current]").bounding_box()
        assert link["x"] >= 0 and link["x"] + link["width"] <= width, "the view's own link is seen"
    if width > 720:
        footer, table = page.locator("footer").bounding_box(), page.locator("#main table").bounding_box()
        assert footer["y"] >= table["y"] + table["height"]
    days = page.locator("tbody time").evaluate_all("times => times.map((time) => [time.textContent.replaceAll('\u00a0', ' '), time.title.slice(0, 10)])")
    assert any(" " in shown for shown, _ in days)
    for shown, day in days:
        month = datetime.date.fromisoformat(day).strftime("%b")
        assert re.fullmatch(rf"({month} {int(day[8:])}(, {day[:4]})? )?\d\d:\d\d:\d\d", shown), shown
    visitor.show("settings")
    page.click("text=Reload …")
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=reloaded at")
    visitor.show("limits")
    assert page.locator("#said").inner_text() == "", "what is said of one view ends with it"
    visitor.assert_content()


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (800, "light"), (390, "light"), pytest.param(390, "dark", marks=pytest.mark.short)]
)
def test_failures_are_read_in_the_list(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    visitor.show("requests?status=failed&model=code")
    row = page.locator("tbody tr").first
    seen = row.inner_text()
    assert "research" in seen and "backup" in seen and "502" in seen
    assert "backup: cannot connect to 127.0.0.1:1/v1/chat/completions: connection refused" in seen
    assert_fits(visitor, "failures")
    cells = page.locator("tbody tr:first-child td").evaluate_all("cells => Object.fromEntries(cells.map((cell) => [cell.className, cell.offsetWidth]))")
    assert cells["status"] <= 110, "what is short has a narrow column"
    if width > 1000:
        assert cells["broad cause"] >= 200
        heights = page.locator("tbody tr:first-child .whole").evaluate_all("names => names.map((name) => name.offsetHeight)")
        assert len(heights) == 4 and max(heights) < 24, "names are one line"
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((part) => part.scrollWidth <= part.clientWidth)")
    assert_reachable(visitor, "failures")
    visitor.assert_content()


def test_records_are_deleted(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("requests?model=summary")
    shown = page.locator("#main .head .dim")
    before = int(shown.inner_text().replace(",", ""))
    assert page.locator("tbody input").count() == 0, "rows are picked on demand"
    page.click("text=Select")
    page.locator("tbody input").nth(0).check()
    page.locator("tbody input").nth(1).check()
    page.click("text=Delete 2 …")
    page.click("dialog >> text=Cancel")
    assert int(shown.inner_text().replace(",", "")) == before
    page.click("text=Delete 2 …")
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=Deleted 2.")
    visitor.settle("requests")
    assert int(shown.inner_text().replace(",", "")) == before - 2
    page.locator("tbody th a").first.click()
    page.click("dialog >> text=Delete …")
    page.click("dialog.question >> button.danger")
    page.wait_for_selector("dialog", state="detached")
    visitor.settle("requests")
    assert int(shown.inner_text().replace(",", "")) == before - 3
    visitor.assert_content()


@pytest.mark.short
def test_a_limit_is_reset_and_a_provider_resumed(visit: Callable[..., Visitor], relay: Relay) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("limits")
    assert "support" in page.locator("tbody").inner_text()
    visitor.show("limits?caller=support")
    row = page.locator("tbody tr", has_text="40 requests per hour")
    assert row.locator("td").nth(4).inner_text() != "40"
    assert row.locator("button").is_hidden(), "a change is behind the row"
    row.locator("summary").click()
    row.locator("button").click()
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=Reset at")
    visitor.settle("limits")
    assert row.locator("td").nth(4).inner_text() == "40"
    for _ in range(8):
        world.ask(relay, "code")
    visitor.show("providers")
    page.wait_for_selector("section[aria-label=backup] >> text=Resume")
    page.click("section[aria-label=backup] >> text=Resume")
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=backup is used again")
    visitor.settle("providers")
    assert page.locator("section[aria-label=backup] .head .good").inner_text() == "ok"
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), pytest.param(390, "dark", marks=pytest.mark.short)])
def test_the_limit_of_all_callers_is_reset_by_name(visit: Callable[..., Visitor], relay: Relay, width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    world.ask(relay)
    visitor.show("limits?all=yes")
    row = page.locator("tbody tr", has_text="20,000 requests per day")
    assert row.count() == 1 and row.locator("th a").inner_text() == "all callers"
    row.locator("summary").click()
    row.locator("button").click()
    dialog = page.locator("dialog.question")
    assert dialog.locator("p").inner_text() == (
        "Set the use of all requests of all callers, 20,000 requests per day, of all callers to 0? It counts the requests of all callers together."
    )
    assert dialog.bounding_box()["height"] < 250, "it is as high as what it says"
    assert_good(visitor, "the question")
    page.click("dialog >> text=Cancel")
    team = page.locator("tbody tr", has_text="5,000 requests per day")
    team.locator("summary").click()
    team.locator("button").click()
    assert dialog.locator("p").inner_text() == "Set the use of chat, 5,000 requests per day, of team to 0?"
    page.click("dialog >> text=Cancel")
    assert row.locator("td").nth(4).inner_text() != "20,000"
    row.locator("button").click()
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=Reset at")
    visitor.settle("limits")
    row.locator("summary").click()
    assert row.locator("td").nth(4).inner_text() == "20,000" and row.locator("button").is_disabled()
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), pytest.param(390, "dark", marks=pytest.mark.short)])
def test_limits_begin_with_the_nearest(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    limits = [("team", "requests", "0", "5", 0), ("team", "tokens", "10", "90", 0), ("research", "usd", "0.0012345678", "1234.5", 0), ("support", "requests", "39", "1", 0)]
    limits += [("mobile-app", "requests", "0", "60", 0), ("mobile-app", "concurrent", "0", "4", 3), (None, "requests", "50", "50", 0)]
    items = [
        {"id": place, "caller": caller, "limit": "chat", "model": None, "unit": unit, "quota": f"n {unit}", "used": used, "left": left, "resets_at": None, "waiting": waiting}
        for place, (caller, unit, used, left, waiting) in enumerate(limits)
    ]
    page.route("**/admin/limits*", lambda route: route.fulfill(json=route.fetch().json() | {"items": items}))

    def callers() -> list[str]:
        return page.locator("tbody th a").all_inner_texts()

    visitor.show("limits")
    assert callers() == ["support", "all callers", "team", "research", "mobile-app"], "what is not used, and not waited for, is folded"
    assert page.locator("tbody tr", has_text="research").locator("td [title]").all_inner_texts() == ["$0.001235", "$1,234.50"]
    assert "Not shown: 2 unused." in page.locator("#main").inner_text()
    assert_good(visitor, "limits")
    page.click("text=Show all")
    visitor.arrive("**all=yes", "limits")
    assert sorted(callers()) == sorted(caller or "all callers" for caller, *_ in limits) and page.locator("input[name=all]").is_checked()
    page.select_option("select[name=order]", "configured")
    visitor.arrive("**order=configured*", "limits")
    assert callers() == [caller or "all callers" for caller, *_ in limits]
    visitor.assert_content()


@pytest.mark.parametrize("number", [50, 2000])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_keys_have_what_is_left_and_until_when(visit: Callable[..., Visitor], width: int, scheme: str, number: int) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    month = {"unit": "usd", "quota": "60.00 usd per month", "used": "57.21", "left": "2.79", "resets_at": int(time.time()) + 5 * 86400}
    costs = {"cost_today": "1.25", "cost_month": "57.21", "requests": 812, "failures": 3, "last_used": "2026-11-27"}
    group = {"kind": "group", "name": "eng", "models": ["all"], "budgets": [month | {"quota": "5000.00 usd per month", "left": "4942.79"}]} | costs
    keys = [
        {"kind": "key", "name": f"somebody-with-a-name-{place}", "models": ["gpt-4o*", "claude-opus-5-5"], "groups": ["eng"], "state": "ok", "expires_at": None}
        | {"budgets": [month, month | {"unit": "tokens", "quota": "2000000 tokens per day", "used": "0", "left": "2000000", "resets_at": None}]} | costs
        for place in range(number)
    ]  # fmt: skip
    keys[1] |= {"state": "ends soon", "expires_at": int(time.time()) + 3 * 86400}
    keys[1] |= {"unpriced_today": 0, "unpriced_month": 4}
    keys[-1] |= {"state": "off", "budgets": [], "cost_today": None, "cost_month": None, "failures": 0, "last_used": None}
    page.route("**/admin/keys*", lambda route: route.fulfill(json={"items": [group, *keys], "total": number, "shared": False, "instance": "one"}))
    visitor.show("keys")
    rows = page.locator("tbody tr")
    assert rows.count() == number + 1 and "group eng" in rows.first.inner_text() and "4,942.79 of 5,000.00 usd per month until" in rows.first.inner_text().replace("$", "")
    second = rows.nth(1).inner_text()
    assert "$57.21" in second and "$1.25" in second and "2,000,000 of 2,000,000 tokens per day" in second, "costs are seen at each width"
    assert "≥ $57.21" in rows.nth(2).inner_text() and "≥ $1.25" not in rows.nth(2).inner_text() and "≥" not in second
    assert "ends soon" in rows.nth(2).inner_text() and "off" in rows.last.inner_text() and "What is left is what one alone knows." in page.locator("#main").inner_text()
    if number == 50:
        assert_reachable(visitor, "keys")
    assert_fits(visitor, "keys")
    box = page.evaluate("(() => { const table = document.querySelector('.scroll'); return [table.scrollWidth, table.clientWidth]; })()")
    assert box[0] <= box[1], f"the table is wider than its place: {box}"
    rows.nth(1).locator("a").click()
    page.wait_for_url("**/admin#/requests?caller=somebody-with-a-name-0")


def test_the_cache_is_emptied(visit: Callable[..., Visitor], relay: Relay) -> None:
    visitor = visit()
    page = visitor.page
    world.ask(relay, "fast", content="to be kept")
    visitor.show("cache")
    page.click("th >> text=Hits")
    visitor.arrive("**sort=hit_count*", "cache")
    page.locator("summary").first.click()
    page.wait_for_selector("text=No bodies are recorded")
    before = page.locator("tbody tr").count()
    page.click("text=Select")
    page.locator("tbody input").first.check()
    page.click("text=Delete 1 …")
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=Deleted 1.")
    visitor.settle("cache")
    assert page.locator("tbody tr").count() == before - 1
    page.click("text=Delete all …")
    page.click("dialog >> button.danger")
    page.wait_for_selector("text=No response is stored yet.")
    visitor.assert_content()


def test_settings_are_read_anew(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("settings")
    page.click("text=Reload …")
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=Configuration reloaded at")
    page.fill("input[name=find]", "rate_limit")
    visitor.press("Enter")
    visitor.arrive("**find=rate_limit", "settings")
    assert page.locator("table").first.locator("tbody tr").count() > 10
    page.check("input[name=all]")
    page.wait_for_url("**all=yes")
    page.uncheck("input[name=all]")
    visitor.arrive(re.compile("settings.find=rate_limit$"), "settings")
    assert "reload" in page.locator("table").last.inner_text()
    for secret in (world.PASSWORD, world.TEAM):
        assert secret not in page.content()
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_the_lines_of_a_new_key_are_those_of_relay_key(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.show("settings")
    asked = len(visitor.asked)
    page.fill("input[name=key]", "no name")
    page.click("text=Make lines")
    page.fill("input[name=key]", "Default")
    page.click("text=Make lines")
    page.wait_for_selector("text=Choose another name.")
    assert page.locator("pre").count() == 0, "a name that `relay key` refuses makes no lines"
    texts = []
    for _ in range(2):
        page.fill("input[name=key]", "my-Team_2")
        page.click("text=Make lines")
        texts.append(page.locator("pre").text_content())
    assert page.locator("pre").count() == 1
    page.click("text=Copy")
    page.wait_for_selector("#said >> text=Copied the lines of the new key.")
    assert page.evaluate("navigator.clipboard.readText()") == texts[1]
    token = re.compile(r"=sk-relay-[A-Za-z0-9_-]{43}\n")
    printed = subprocess.run([binary(), "key", "my-Team_2"], check=True, capture_output=True, text=True).stdout
    lines = {token.sub("=TOKEN\n", text) for text in (*texts, printed)}
    assert len(lines) == 1 and "KEY_MY_TEAM_2_TOKEN=TOKEN\n" in lines.pop() and len({*texts, printed}) == 3
    assert len(visitor.asked) == asked, "the key stays in the browser"
    assert_good(visitor, "a new key")
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), FORMS)
def test_a_reload_says_what_waits_and_what_is_wrong(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page

    def waiting(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"data": told["data"] | {"waiting_for_restart": ["PORT", "MEMCACHED_HOST"]}})

    page.route("**/admin/config", waiting)
    visitor.show("settings")
    page.wait_for_selector("text=Not in force before a restart: PORT, MEMCACHED_HOST")
    problems = [".env:4  PORT: already set in line 1", f".env:7  {HOSTILE}: unknown variable"]
    refused = {"status": 1, "msg": "Configuration not changed", "errors": problems, "instance": "a"}
    page.route("**/admin/reload", lambda route: route.fulfill(status=422, json=refused))
    page.click("text=Reload …")
    page.click("dialog >> button.danger")
    page.wait_for_selector("text=.env:4 PORT: already set in line 1")
    page.wait_for_selector("text=unknown variable")
    assert_good(visitor, "problems of a reload")


@pytest.mark.parametrize(("width", "scheme"), FORMS)
def test_states_have_a_reason_and_instances_an_age(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    trouble = {"name": "k2", "state": "unavailable", "reason": "401", "since": int(time.time()) - 60}
    reason = "cannot connect to 192.0.2.1:443: connection refused"

    def overview(route: Route) -> None:
        told = route.fetch().json()
        providers = [
            {"name": "alpha", "state": "ok", "reason": None, "since": None, "keys": 2, "bad_keys": [trouble]},
            {"name": "gone", "state": "unavailable", "reason": reason, "since": trouble["since"], "keys": 0, "bad_keys": []},
        ]
        instances = [one | {"age_s": 71, "store": "unknown"} for one in told["data"]["instances"]]
        route.fulfill(json=told | {"data": told["data"] | {"providers": providers, "instances": instances}})

    # Without the stream, the page reads the overview once.
    visitor.show("settings")
    page.route("**/admin/live", lambda route: route.abort())
    page.route("**/admin/overview", overview)
    visitor.show("overview")
    page.wait_for_selector("text=1 of 2 keys, k2: 401 since")
    text = page.locator("#main").inner_text()
    assert all(word in text for word in (f"{reason} since", "last call failed 1 min ago, will be tried", "71 s ago", "unknown")), text
    assert_good(visitor, "states")

    def providers(route: Route) -> None:
        told = route.fetch().json()
        for row in told["items"]:
            row["keys"] = [key | {"state": "unavailable", "reason": "401", "since": trouble["since"]} for key in row["keys"]]
        route.fulfill(json=told)

    page.route("**/admin/provider", providers)
    visitor.show("providers")
    page.wait_for_selector("text=401 since")
    assert page.locator("text=End cooldown").count() > 0
    assert_good(visitor, "providers")


def test_what_clients_need(visit: Callable[..., Visitor], relay: Relay) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("clients?caller=known:team")
    page.select_option("select[name=model]", "large")
    visitor.arrive("**model=large", "clients")
    texts = page.locator("pre").all_inner_texts()
    assert len(texts) == 7 and all(relay.base_url in text and "large" in text and world.TEAM not in text for text in texts)
    page.select_option("select[name=caller]", "known:mobile-app")
    visitor.arrive("**caller=known*mobile-app*", "clients")
    assert page.locator("select[name=model]").input_value() == "fast"
    visitor.assert_content()


def test_charts_are_tables_of_the_same_numbers(visit: Callable[..., Visitor], relay: Relay) -> None:
    visitor = visit()
    page = visitor.page
    session = {"Authorization": f"Bearer {visitor.context.cookies()[0]['value']}"}
    for measure in ("requests", "cost"):
        visitor.show(f"usage?by=model&measure={measure}&to=&from=")
        drawn = page.evaluate("[...document.querySelectorAll('.chart g title')].map((title) => title.textContent.split('\\n'))")
        page.click("text=Table")
        rows = page.locator(".chart tbody tr").evaluate_all("rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))")
        names = page.locator(".chart thead th").all_inner_texts()
        assert [row[0] for row in rows] == [column[0] for column in drawn]
        for column, row in zip(drawn, rows, strict=True):
            assert [f"{name}: {value}" for name, value in zip(names[1:], row[1:], strict=True) if value not in ("0", "$0.00")] == column[1:]
        page.click("text=Table")
    told = local_http.get(f"{relay.base_url}/admin/usage", params={"by": "model", "from": drawn[0][0][:10], "to": drawn[-1][0][:10]}, headers=session).json()
    foot = page.locator("tfoot td").all_inner_texts()
    numbers = [text.removeprefix("≥ ").replace(",", "").replace("$", "") for text in foot]
    assert numbers[0] == str(told["sum"]["requests"]) and numbers[6] == f"{told['sum']['cost']:.2f}"
    assert float(page.locator("tfoot td [title]").get_attribute("title").replace("$", "")) == told["sum"]["cost"], "the title has all digits"
    for cell in page.locator("tbody td [title^='$']").all():
        shown, exact = (float(text.strip("≥ $").replace(",", "")) for text in (cell.inner_text(), cell.get_attribute("title")))
        assert shown == float(f"{exact:.4g}")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (390, "dark"), pytest.param(1280, "dark", marks=pytest.mark.short)])
def test_series_can_be_told_apart(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    visitor.show("usage?by=model&measure=tokens")
    legend = visitor.page.locator(".legend i").evaluate_all("marks => marks.map((mark) => getComputedStyle(mark).backgroundColor)")
    drawn = visitor.page.locator(".chart rect:not(.space)").evaluate_all("parts => [...new Set(parts.map((part) => getComputedStyle(part).fill))]")
    assert len(legend) == 6 and set(drawn) == set(legend)
    paper = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    for colour in legend:
        assert contrast(colour, paper) >= 3, f"{colour} is faint on {paper}"
    for (one, other), sight in itertools.product(itertools.combinations(legend, 2), SIGHTS):
        assert distance(one, other, sight) >= 0.1, f"{one} looks like {other} to eyes that see {sight}"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_new_requests_show_while_live(visit: Callable[..., Visitor], relay: Relay, width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    visitor.show("requests")
    newest = page.locator("tbody tr th a").first
    before = newest.get_attribute("href")
    page.click("button:text-is('Live')")
    page.wait_for_selector("#main .head >> text=live")
    world.ask(relay, content="while somebody looks")
    page.wait_for_function("before => document.querySelector('tbody tr th a').getAttribute('href') !== before", arg=before)
    visitor.settle("requests")
    assert_good(visitor, "live")
    page.click("text=Select")
    page.locator("tbody input").first.click()
    picked = newest.get_attribute("href")
    visitor.asked.clear()
    world.ask(relay, content="while a row is picked")
    page.wait_for_timeout(5_000)
    assert visitor.asked == [] and newest.get_attribute("href") == picked and page.locator("tbody input").first.is_checked()
    page.locator("tbody input").first.click()
    page.wait_for_function("before => document.querySelector('tbody tr th a').getAttribute('href') !== before", arg=picked)
    page.click("button:text-is('Live')")
    visitor.settle("requests")
    page.wait_for_timeout(300)  # The last requests are told late.
    visitor.asked.clear()
    world.ask(relay, content="while nobody looks")
    page.wait_for_timeout(3_000)
    assert visitor.asked == []
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), pytest.param(390, "dark", marks=pytest.mark.short)])
def test_each_view_of_a_choice_of_time(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    """Overview, Requests and Usage show the time that is chosen, which is in the address."""
    visitor = visit(width, scheme)
    page = visitor.page
    for view in ("overview", "requests", "usage"):
        visitor.show(view)
        for last in ("15m", "24h", "7d"):
            if not page.locator("select[name=last]").is_visible():
                page.click("summary:text-is('Filters')")
            page.select_option("select[name=last]", last)
            visitor.arrive(f"**last={last}*", view)
        assert_good(visitor, view)
    visitor.show("overview?last=30d")
    days = page.evaluate("[...document.querySelectorAll('[data-part=outcome] g title')].map((title) => title.textContent.split('\\n')[0])")
    assert 60 <= len(days) <= 100 and len(days[0]) == 16 and days == sorted(days)
    for part in ("duration", "first_byte"):
        assert page.locator(f"[data-part={part}] svg > path").count() == 2
    causes = page.locator("[data-part=failed] .legend li").all_inner_texts()
    assert 1 < len(causes) <= 6 and all(causes)
    assert_good(visitor, "30 days")
    visitor.show("usage?by=model&measure=duration&last=7d")
    assert page.locator(".chart svg > path").count() == 2 * len(page.locator(".legend li").all_inner_texts()) // 2
    hour = page.locator(".chart g title").nth(-1).text_content() or ""
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:00", hour), hour
    page.fill("input[name=from]", f"{hour[:10]}T00:00")
    page.dispatch_event("input[name=from]", "change")
    visitor.arrive("**from=*T00*", "usage")
    assert page.input_value("select[name=last]") == "" and page.locator(".chart g").count() <= 1441
    visitor.show("usage?by=cause&last=30d")
    page.locator("tbody th a").first.click()
    visitor.arrive("**/requests?keywords=*", "requests")
    assert page.input_value("select[name=last]") == "30d" and page.locator("td.status").count() > 0
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), pytest.param(390, "dark", marks=pytest.mark.short)])
def test_the_axis_of_a_chart_has_room_for_great_numbers(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    tallest = 0.0

    def answer(route: Route) -> None:
        told = route.fetch().json()
        # The hour decides how many of the records fall into one bar.
        factor = tallest / max(sum(map(float, filter(None, column))) for column in zip(*(row["values"] for row in told["series"]), strict=True))
        series = [row | {"values": [value and value * factor for value in row["values"]]} for row in told["series"]]
        route.fulfill(json=told | {"series": series})

    page.route("**/admin/timeline*", answer)
    for measure, tallest, word in (("requests", 90, ""), ("requests", 9e5, " M"), ("requests", 9e14, " P"), ("cost", 3e8, " M"), ("cost", 3e-8, "$0.0"), ("duration", 4e5, "> 3 min")):
        visitor.show(f"usage?measure={measure}&to=&x={tallest}")
        marks = page.locator(".chart svg > text[y]:not([y='171'])").evaluate_all(
            """marks => marks.map((mark) => [mark.textContent, mark.getBoundingClientRect().left - mark.closest("svg").getBoundingClientRect().left])"""
        )
        assert len(marks) == 3 and all(left >= 0 for _, left in marks), marks
        assert word in marks[-1][0], marks
        assert_fits(visitor, "a chart of great numbers")
    visitor.assert_content()


def test_csv_of_the_rows_shown(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.show("usage?by=caller")
    shown = visitor.page.locator("#main > div:last-child tbody tr, .stale tbody tr").count()
    with visitor.page.expect_download() as download:
        visitor.page.click("text=CSV")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == shown and download.value.suggested_filename == "usage.csv"
    with visitor.page.expect_download() as download:
        visitor.page.click("text=JSON")
    assert len(json.loads(download.value.path().read_text())["items"]) == shown


def test_printed_usage_fits_a4(visit: Callable[..., Visitor]) -> None:
    visitor = visit(scheme="dark")
    page = visitor.page
    visitor.show("usage?by=model")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})
    assert page.locator("header").is_hidden() and page.locator("form").first.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((part) => part.scrollWidth <= part.clientWidth)")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert b"/Count 1" in page.pdf(prefer_css_page_size=True), "it is one page"


def test_nothing_jumps_while_it_loads(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.evaluate(
        """window.moved = 0; new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.moved += entry.value }))
        .observe({ type: "layout-shift" })"""
    )
    for view in VIEWS * 2:
        visitor.show(view)
        visitor.page.wait_for_timeout(100)
    assert visitor.page.evaluate("window.moved") < 0.02


def test_hidden_it_asks_for_nothing(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("text=paused")
    visitor.asked.clear()
    page.wait_for_timeout(5_000)
    assert visitor.asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#main .head >> text=live")
    assert [url.rpartition("/")[2] for url in visitor.asked] == ["live"]


def test_a_relay_that_is_gone(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    visitor.show("limits")
    rows = page.locator("tbody tr").count()
    page.route("**/admin/limits*", lambda route: route.abort())
    visitor.press("r")
    page.wait_for_selector("text=The relay cannot be reached. Check that it runs")
    assert page.locator("tbody tr").count() == rows > 0, "what was shown stays"
    page.unroute("**/admin/limits*")
    page.click("button >> text=Try again")
    page.wait_for_selector(".failure", state="detached")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (390, "dark")])
def test_at_rest_no_request_runs(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    """The requests of the page itself are not counted."""
    visitor = visit(width, scheme)
    for view in ("requests", "overview"):
        visitor.show(view)
    visitor.page.wait_for_function("[...document.querySelectorAll('.tiles div')].some((tile) => /^Running\\s+0\\s/.test(tile.innerText))")
    visitor.show("requests?status=running")
    visitor.page.wait_for_selector("text=No request runs at this instance at the moment.")
    assert_good(visitor, "at rest")
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [pytest.param(360, "dark", marks=pytest.mark.short), (390, "light"), (1280, "light"), (1280, "dark")])
def test_a_callers_own_page(visit: Callable[..., Visitor], relay: Relay, width: int, scheme: str) -> None:
    visitor = visit(width, scheme, user=False)
    page = visitor.page
    page.goto(f"{relay.base_url}/usage")
    assert_reachable(visitor, "empty")
    page.fill("#key", "no-such-key")
    visitor.press("Enter")
    page.wait_for_selector("text=The relay does not know this key.")
    page.fill("#key", world.TEAM)
    visitor.press("Enter")
    page.wait_for_selector("text=Limits of team")
    assert "60 requests per minute" in page.locator("#shown").inner_text() and page.locator("#shown table").count() == 2
    row = page.locator("#shown tr", has_text="all callers together").locator("th, td").all_inner_texts()
    assert row == ["all callers together", "–", "some", "–"], "what others have used is not shown"
    assert_good(visitor, "usage")
    page.reload()
    page.wait_for_selector("text=Limits of team")
    page.click("text=Forget the key")
    assert page.locator("#shown").inner_text() == "" and page.evaluate("sessionStorage.length + localStorage.length") == 0
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_a_callers_page_begins_with_its_budgets(visit: Callable[..., Visitor], relay: Relay, width: int, scheme: str) -> None:
    visitor = visit(width, scheme, user=False)
    page = visitor.page
    limits = [("500.00 usd per month", "group eng", "100"), ("20.00 usd per month", "key", "2.79"), ("1.00 usd per calendar-day", "key", "0.02"), ("60 requests per minute", "chat", "3")]
    rows = [{"limit": limit, "name": name, "used": used, "left": "1", "resets_at": int(time.time()) + 86400, "is_used_up": False} for limit, name, used in limits]
    day = {"date": "2026-11-27", "requests": 812, "prompt_tokens": 123_456_789, "completion_tokens": 23_456_789, "cost": 1234.5678, "unpriced": 3}
    page.route("**/v1/usage", lambda route: route.fulfill(json={"object": "usage", "caller": "ann", "limits": rows, "days": [day, day | {"date": "2026-11-28", "unpriced": 0}]}))
    page.goto(f"{relay.base_url}/usage")
    page.fill("#key", world.TEAM)
    visitor.press("Enter")
    page.wait_for_selector("text=Limits of ann")
    assert page.locator("#shown p").all_inner_texts() == ["$100.00 of $500.00 of group eng this month", "$2.79 of $20.00 this month", "$0.02 of $1.00 today", "3 of 1,624 without a price."]
    cost = page.locator("#shown td", has_text="≥ $1,234.57").bounding_box()
    assert cost["x"] + cost["width"] <= width, "the costs of days are seen without moving the table"
    assert_good(visitor, "usage")


@pytest.mark.short
def test_headers_of_the_pages(relay: Relay) -> None:
    for path in ("/admin", "/usage"):
        one, other = (local_http.get(relay.base_url + path) for _ in range(2))
        policy = one.headers["content-security-policy"]
        nonce = re.search("script-src 'nonce-([^']+)'", policy)[1]
        assert policy.startswith("default-src 'none'; ") and f"style-src 'nonce-{nonce}'" in policy and "frame-ancestors 'none'" in policy
        assert one.text.count(f'nonce="{nonce}"') == 2 and nonce not in other.text
        assert one.headers["cache-control"] == "no-store" and one.headers["referrer-policy"] == "no-referrer"
        assert local_http.request("POST", relay.base_url + path).status_code == (401 if path == "/admin" else 405)
        assert "access-control-allow-origin" not in one.headers


def test_waits_limits_and_bodies_of_a_request(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    more = {
        "ttfb_ms": 210, "wait_limits_ms": 1500, "wait_capacity_ms": 70, "limits": ["chat: 60 requests per minute", HOSTILE], "trace_id": "4bf92f3577b34da6",
        "request_data": json.dumps({"messages": [{"role": "user", "content": HOSTILE}]}), "response_data": HOSTILE,
    }  # fmt: skip

    def answer(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"data": told["data"] | more})

    page.route(re.compile(r"/admin/req_logs/\d+$"), answer)
    visitor.show("requests?status=completed")
    page.locator("tbody th a").first.click()
    text = page.locator("dialog .facts").inner_text()
    assert_reachable(visitor, "bodies")
    more["ttfb_ms"] = 0
    visitor.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.locator("tbody th a").first.click()
    assert "First byte after\n0 ms" in page.locator("dialog .facts").inner_text()
    for word in ("210 ms", "Waited for limits", "1.5 s", "Waited for capacity", "70 ms", "chat: 60 requests per minute", "4bf92f3577b34da6"):
        assert word in text, word
    assert all("<script>document.title='planted'</script>" in body for body in page.locator("dialog pre").all_inner_texts())
    assert page.locator("dialog pre").count() == 2 and page.title().startswith("relay")
    visitor.assert_content()


def test_durations_and_failures_of_a_provider(visit: Callable[..., Visitor]) -> None:
    visitor = visit(360, "light")

    def answer(route: Route) -> None:
        told = route.fetch().json()
        items = [item | {"p50_ms": 812, "p95_ms": 2400, "errors": {"timeout": 2, "unreachable": 31}} for item in told["items"]]
        route.fulfill(json=told | {"items": items})

    visitor.page.route("**/admin/provider", answer)
    visitor.show("providers")
    text = visitor.page.locator("section[aria-label=backup]").inner_text()
    assert "half within 812 ms, 95 % within 2.4 s" in text and text.index("31 unreachable") < text.index("2 timeout")
    assert_good(visitor, "providers")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), pytest.param(1280, "light", marks=pytest.mark.short)])
def test_a_viewer_sees_no_button_that_changes(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme, user=False)
    page = visitor.page
    visitor.log_in(world.VIEWER_PASSWORD)
    visitor.settle("overview")
    changes = re.compile(r"^(Select|Delete|Reset|Resume|End cooldown|Forget|Reload|…)")
    for again in (False, True):
        if again:  # The page itself knows it, too.
            page.reload()
        for view in VIEWS:
            visitor.show(view + ("?all=yes" if view == "limits" else ""))
            assert page.locator("button:visible, summary:visible").filter(has_text=changes).all_inner_texts() == [], view
            assert_fits(visitor, view)
    assert_reachable(visitor, "a viewer's view")
    visitor.assert_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), pytest.param(360, "dark", marks=pytest.mark.short)])
def test_each_control_shows_that_it_has_the_focus(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(width, scheme)
    page = visitor.page
    for view in VIEWS:
        visitor.show(view)
        page.evaluate("document.activeElement.blur(), scrollTo(0, 0), getSelection().removeAllRanges()")
        seen: set[str] = set()
        for _ in range(60):
            visitor.press("Tab")
            name, mark = page.evaluate(
                """(() => { const one = document.activeElement, style = getComputedStyle(one);
                return [one.name || one.textContent.slice(0, 30), one === document.body || one.id === "main" || style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2] })()"""
            )
            assert mark, f"{view}: {name} has no mark"
            seen.add(name)
        if view in ("overview", "usage"):
            assert {"from", "to", "last"} <= seen


def test_an_axis_says_minutes_at_round_times(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page

    def answer(route: Route) -> None:
        told = route.fetch().json()
        series = [row | {"values": [100_000 if place == 5 else None for place in range(len(row["values"]))]} for row in told["series"]]
        route.fulfill(json=told | {"series": series})

    page.route("**/admin/timeline*", answer)
    visitor.show("usage?measure=duration&by=model&last=24h")
    texts = page.locator(".chart svg > text").all_text_contents()
    assert {"2 min", "60 s"} <= set(texts) and not any(" k" in text for text in texts), texts
    times = [text for text in texts if re.fullmatch(r"\d\d:\d\d", text)]
    assert 4 <= len(times) <= 24 and all(text.endswith(":00") for text in times), times
    assert page.locator(".chart svg > circle").count() >= 2, "a point without neighbours is seen"


def test_an_incident_is_seen_at_each_choice_of_time(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    for last in ("15m", "1h", "6h", "24h", "7d", "30d", "90d"):
        visitor.show(f"overview?last={last}")
        page.wait_for_selector("[data-part=outcome] rect.failed")
        columns = page.locator("[data-part=outcome] .chart g").count()
        assert 60 <= columns <= 100, (last, columns)
        for part in ("outcome", "failed"):
            heights = page.locator(f"[data-part={part}] rect:not(.space)").evaluate_all("parts => parts.map((part) => part.getBoundingClientRect().height)")
            assert heights and min(heights) >= 1.9, (last, part)


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_filters_are_folded_on_phones(visit: Callable[..., Visitor], width: int) -> None:
    visitor = visit(width, "light")
    page = visitor.page
    visitor.show("requests")
    assert page.locator("select[name=status]").is_visible() == (width > 720)
    if width < 720:
        page.click("summary:text-is('Filters')")
    page.select_option("select[name=status]", "failed")
    visitor.arrive("**status=failed", "requests")
    assert page.locator("select[name=status]").is_visible(), "filters in use are seen"
    assert_fits(visitor, "filters")


def test_what_a_vendor_refuses_is_beside_it_and_forgotten(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.page
    quirk = {"id": "0123456789abcdef", "provider": "backup", "model": "code", "quirk": "temperature", "condition": "", "for": "one caller", "callers": 1}
    quirk |= {"learned_at": 1, "ends_at": int(time.time()) + 600, "words": "'temperature' is not supported"}
    page.route("**/admin/quirks", lambda route: route.fulfill(json=route.fetch().json() | {"items": [quirk]}))
    asked: list[str] = []

    def forget(route: Route) -> None:
        asked.append(f"{route.request.method} {route.request.url}")
        route.fulfill(json={"status": 0, "msg": "Deleted", "data": {"all_instances": False}})

    page.route("**/admin/quirks/*", forget)
    visitor.show("providers")
    assert "$0.20 / $0.60" in page.locator("section[aria-label=main]").inner_text()
    page.click("text=1 refused by backup")
    assert "Without memcached," in page.locator("#main").inner_text()
    assert_reachable(visitor, "what is refused")
    page.click("text=Forget")
    page.click("dialog >> button.danger")
    page.wait_for_selector("#said >> text=Forgotten.")
    visitor.settle("providers")
    assert asked == [f"DELETE {visitor.url}/admin/quirks/0123456789abcdef"]


def test_settings_have_a_heading_for_each_caller_and_provider(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.show("settings")
    headings = visitor.page.locator(".stale h2").all_inner_texts()
    assert {"Caller team", "Caller mobile-app", "Provider main", "Provider backup"} <= set(headings)


def test_a_document_is_small(relay: Relay) -> None:
    assert len(local_http.get(f"{relay.base_url}/admin").content) <= 90_000
