"""Conversations with more than twenty images: sessions of agents that look at screens."""

import base64

import pytest
from chat import PATH
from conftest import TEAM_TOKEN
from limited import client as plain
from pictures import picture
from relay_process import provider
from test_demands import ROWS, fakes, records, relay, vendor_of  # noqa: F401
from test_demands import team as all_vendors  # noqa: F401

SEEING = [row for row in ROWS if row != "cf"]
SHOTS = [base64.b64encode(picture(f"shot {number}")).decode() for number in range(30)]
SURFACES = ["chat", "messages", "responses"]


def ask(team, surface, model, shots, is_streamed):
    urls = ["data:image/png;base64," + shot for shot in shots]
    if surface == "chat":
        content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return team.post(PATH, json={"model": model, "messages": [{"role": "user", "content": content}], "stream": is_streamed})
    if surface == "messages":
        content = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": shot}} for shot in shots]
        return team.post("/v1/messages", json={"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": content}], "stream": is_streamed})
    content = [{"type": "input_image", "image_url": url} for url in urls]
    return team.post("/v1/responses", json={"model": model, "input": [{"role": "user", "content": content}], "stream": is_streamed})


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("row", SEEING)
def test_a_vendor_with_images_gets_them_all(all_vendors, vendor_of, row, surface, is_streamed):  # noqa: F811
    vendor = vendor_of(row)
    vendor.says({"text": "I see."})
    answer = ask(all_vendors, surface, vendor.alias, SHOTS, is_streamed)
    assert answer.status_code == 200, answer.text
    (request,) = vendor.fake.asked(vendor.model)
    assert all(shot in request["raw"].decode() for shot in SHOTS)


@pytest.mark.parametrize("surface", SURFACES)
def test_the_setting_bounds_the_images(launch, fakes, surface):  # noqa: F811
    one = launch(**provider("C", "anthropic", fakes["claude"].base_url, "few", API_KEY="sk-ant-few"), KEY_TEAM_TOKEN=TEAM_TOKEN, MAX_IMAGES="3")
    fakes["claude"].says("few", {"content": [{"type": "text", "text": "I see."}]})
    with plain(one, TEAM_TOKEN) as http:
        assert ask(http, surface, "few", SHOTS[:3], False).status_code == 200
        answer = ask(http, surface, "few", SHOTS[:4], False)
    assert answer.status_code == 400 and "at most 3 images" in answer.text


def test_the_relay_downloads_at_most_twenty(all_vendors, vendor_of, is_streamed):  # noqa: F811
    vendor = vendor_of("claude")
    vendor.says({"text": "I see."})
    content = [{"type": "image_url", "image_url": {"url": f"https://images.example/{number}.png"}} for number in range(21)]
    answer = all_vendors.post(PATH, json={"model": vendor.alias, "messages": [{"role": "user", "content": content}], "stream": is_streamed})
    assert answer.status_code == 400 and "at most 20 images" in answer.text and vendor.times == 0


def test_a_vendor_reads_addresses_itself(all_vendors, vendor_of, is_streamed):  # noqa: F811
    vendor = vendor_of("open")
    vendor.says({"text": "I see."})
    urls = [f"https://images.example/{number}.png" for number in range(30)]
    content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    answer = all_vendors.post(PATH, json={"model": vendor.alias, "messages": [{"role": "user", "content": content}], "stream": is_streamed})
    assert answer.status_code == 200 and [part["image_url"]["url"] for part in vendor.fake.body(vendor.model)["messages"][0]["content"]] == urls
