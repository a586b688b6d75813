"""Three roles in real browsers: people log in with a provider that runs here, and see what is theirs."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from pages.parts.frame import downloads
from pages.parts.images.viewer import viewer_routes
from pages.parts.map import routes as map_routes
from tests.browser.conftest import free_port, run_server

pytestmark = pytest.mark.browser

PEOPLE = {"owner@hospital.example": "owner", "editor@hospital.example": "editor", "reader@lab.example": "viewer"}
UNVERIFIED = "somebody@hospital.example"
SECRETS = """
[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "only for this test, and only as long as it runs"
client_id = "radcbir"
client_secret = "made up"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@pytest.fixture
def server_with_login(chromium, small_data, tmp_path):
    mock = pytest.importorskip("oidc_provider_mock")
    shutil.copytree(small_data, tmp_path / "data", ignore=shutil.ignore_patterns("audit.jsonl"))
    port = free_port()
    users = [
        mock.User(sub=address, claims={"email": address, "email_verified": address != UNVERIFIED})
        for address in (*PEOPLE, UNVERIFIED)
    ]
    with mock.run_server_in_thread(user_claims=users) as provider:
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(
            SECRETS.format(address=f"http://127.0.0.1:{port}", provider=f"http://127.0.0.1:{provider.server_port}")
        )
        settings = {
            "STREAMLIT_SECRETS_FILES": str(secrets),
            "RADCBIR_OWNERS": "owner@hospital.example",
            "RADCBIR_EDITORS": "@hospital.example",
        }
        with run_server(
            ["-m", "streamlit"], tmp_path / "data", tmp_path / "log", port=port, settings=settings
        ) as address:
            yield address


def check_what_is_fetched(server, chromium, page):
    """Who is logged in gets what the map fetches by address, each time asked again; nobody else gets it."""
    with page.expect_response(lambda answer: "/radcbir-data/bytes/" in answer.url) as fetched:
        page.goto(f"{server}/map")
    address = fetched.value.url
    assert fetched.value.status in (200, 304)
    mine = page.context.request.get(address)
    assert (mine.status, mine.headers["cache-control"]) == (200, "private, no-cache")
    stranger = chromium.new_context()
    forged = [{"name": "_streamlit_user", "value": "eyJpc19sb2dnZWRfaW4iOnRydWV9", "url": server}]
    for cookies in ([], forged):
        stranger.add_cookies(cookies)
        answer = stranger.request.get(address)
        assert (answer.status, answer.text()[:36]) == (403, "Expected somebody who is logged in. ")
        for route in (*map_routes.routes(), *viewer_routes.routes(), *downloads.routes()):
            path = re.sub(r"\{\w+(:int)?\}", lambda part: "0" if part[1] else "small", route.path)
            assert stranger.request.get(f"{server}{path}").status == 403, route.path
    stranger.close()


def test_three_roles_log_in_and_see_what_is_theirs(server_with_login, chromium, tmp_path) -> None:
    # The provider calls them by their address, and does not vouch for it: an editor's domain is not theirs.
    for person, role in {**PEOPLE, UNVERIFIED: "viewer"}.items():
        context = chromium.new_context()
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{server_with_login}/retrieval")
        page.get_by_text("Log in to see this page.").wait_for()
        assert page.locator("li.card").count() == 0
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda url: "/oauth2/authorize" in url)
        page.locator("input[name=sub]").fill(person)
        page.get_by_role("button", name="Authorize").click()
        page.get_by_text(f"{person} · {role}").wait_for()

        page.goto(f"{server_with_login}/retrieval")
        page.locator("li.card").first.wait_for()
        page.goto(f"{server_with_login}/collections?part=encoders")
        page.locator(".radcbir-encoders").first.wait_for()
        page.get_by_test_id("stStatusWidget").wait_for(state="detached")
        page.get_by_text("encoders complete").wait_for()
        for offered in (
            page.get_by_role("button", name="Import a collection"),
            page.locator(".st-key-radcbir-build button").first,
            page.get_by_text("Rename or remove"),
        ):
            if role == "owner":
                offered.wait_for()
            else:
                assert offered.count() == 0
        check_what_is_fetched(server_with_login, chromium, page)
        if role == "owner":
            page.goto(f"{server_with_login}/collections?part=change")
            page.get_by_label("Title").fill("Renamed by its owner")
            page.get_by_label("Title").press("Enter")
            page.locator(".st-key-radcbir-rename button").click()
            page.get_by_text("is now", exact=False).first.wait_for()
            # Streamlit makes it in a thread that knows of no person.
            page.goto(f"{server_with_login}/collections?part=export")
            with page.expect_download() as download:
                page.get_by_role("button", name="Download, about").first.click()
            assert download.value.path().read_text().startswith('"image_id",')
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(lambda url: "/oauth2/end_session" in url)  # the provider is told too
        page.goto(f"{server_with_login}/retrieval")
        page.get_by_text("Log in to see this page.").wait_for()
        context.close()
    lines = [json.loads(line) for line in (tmp_path / "data" / "audit.jsonl").read_text().splitlines()]
    assert [(line["who"], line["role"], line["action"]) for line in lines] == [
        ("owner@hospital.example", "owner", "rename"),
        ("owner@hospital.example", "owner", "download small-manifest.csv"),
    ]
