"""Who may read what is given out by address."""

from __future__ import annotations

import doctest
import json

import pytest
from streamlit import config
from streamlit.web.server.server_util import AUTH_COOKIE_NAME
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from pages.parts.frame import rights, route_guard
from pages.parts.frame.route_guard import refusal
from radcbir_core.errors import RightsError

SIGNED_WITH = "only for this test"
HOST = {"host": "radcbir.example:8501"}
ORIGIN = "https://radcbir.example:8501"


@pytest.fixture
def with_login(monkeypatch):
    monkeypatch.setattr(rights, "has_login", lambda: True)
    monkeypatch.setattr(route_guard, "get_cookie_secret", lambda: SIGNED_WITH)


def cookie(*, by=SIGNED_WITH, name=AUTH_COOKIE_NAME, **claims):
    text = json.dumps({"is_logged_in": True, "origin": ORIGIN, **claims})
    return {AUTH_COOKIE_NAME: create_signed_value(by, name, text).decode()}


def test_the_examples_in_the_docstrings_run():
    result = doctest.testmod(route_guard)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("site", "let_in"),
    [(None, True), ("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("x", False)],
)
def test_other_sites_may_not_read(monkeypatch, site, let_in):
    monkeypatch.setattr(rights, "has_login", lambda: False)
    headers = HOST if site is None else {**HOST, "sec-fetch-site": site}
    assert (refusal(headers, {}) == "") == let_in


@pytest.mark.parametrize(
    ("cookies", "let_in"),
    [
        ({}, False),
        (cookie(), True),
        (cookie(by="another"), False),
        (cookie(name="another"), False),
        (cookie(is_logged_in=False), False),
        (cookie(is_logged_in="yes"), False),
        (cookie(origin="https://other.example"), False),
        (cookie(origin=""), False),
        ({AUTH_COOKIE_NAME: '{"is_logged_in": true}'}, False),
        ({AUTH_COOKIE_NAME: create_signed_value(SIGNED_WITH, AUTH_COOKIE_NAME, "[1]").decode()}, False),
        ({AUTH_COOKIE_NAME: create_signed_value(SIGNED_WITH, AUTH_COOKIE_NAME, "no JSON").decode()}, False),
    ],
)
def test_where_people_log_in_nobody_else_reads(with_login, cookies, let_in):
    said = refusal(HOST, cookies)
    assert said == ("" if let_in else "Expected somebody who is logged in. Log in on any page of the dashboard.")


def test_behind_a_proxy_that_sends_its_own_host_the_allowed_origin_counts(with_login, monkeypatch):
    behind = {"host": "127.0.0.1:8501"}
    assert refusal(behind, cookie())
    option = config.get_option
    monkeypatch.setattr(
        config, "get_option", lambda name: [ORIGIN + "/"] if name == "server.corsAllowedOrigins" else option(name)
    )
    assert refusal(behind, cookie()) == ""


def test_where_it_cannot_be_told_whether_people_log_in_nobody_reads(monkeypatch):
    def damaged():
        raise RightsError("Expected secrets that can be read, but those cannot. Mend the file.")

    monkeypatch.setattr(rights, "has_login", damaged)
    assert refusal(HOST, cookie()).startswith("Expected secrets that can be read")
