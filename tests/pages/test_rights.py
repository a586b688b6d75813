"""Roles: what each is shown and may do, where they come from, and the record of what was done."""

from __future__ import annotations

import ast
import errno
import json
import shutil
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit import config

from pages.parts.frame import rights
from pages.parts.jobs import controls
from radcbir_core.audit import audit_path
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import RightsError, StorageError
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from tests.conftest import REPOSITORY
from tests.second_encoder import add_encoder


@pytest.fixture
def settings(monkeypatch):
    """What the server is set to; a test changes it."""
    values = {"server.address": "127.0.0.1", "server.allowedHosts": []}
    original = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: values.get(name, original(name)))
    for variable in (rights.OWNERS, rights.EDITORS, rights.WITHOUT_LOGIN):
        monkeypatch.delenv(variable, raising=False)
    return values


def recorded():
    return [json.loads(line) for line in audit_path().read_text(encoding="utf-8").splitlines()]


def log_in(monkeypatch, **claims):
    user = SimpleNamespace(is_logged_in=bool(claims), to_dict=lambda: claims)
    monkeypatch.setattr(rights, "has_login", lambda: True)
    monkeypatch.setattr(st, "user", user)


@pytest.mark.parametrize(
    ("address", "hosts", "is_open"),
    [
        ("127.0.0.1", [], False),
        ("localhost", ["localhost", "127.0.0.1"], False),
        ("127.0.0.5", [], False),
        ("::1", [], False),
        ("0.0.0.0", [], True),  # noqa: S104 - what a server may be set to
        ("", [], True),
        (None, [], True),
        ("10.0.0.7", [], True),
        ("127.0.0.1", ["radcbir.hospital.example"], True),
        ("127.0.0.1", ["*"], True),
    ],
)
def test_a_server_is_open_by_its_address_or_by_the_names_a_proxy_has_for_it(settings, address, hosts, is_open):
    settings.update({"server.address": address, "server.allowedHosts": hosts})
    assert rights.is_open_to_others() == is_open
    assert rights.role() == ("viewer" if is_open else "owner")


def test_without_a_login_a_setting_says_what_everybody_may(settings, monkeypatch):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    for role in rights.ROLES:
        monkeypatch.setenv(rights.WITHOUT_LOGIN, f" {role.upper()} ")
        assert rights.role() == role
        assert [rights.may(needed) for needed in rights.ROLES] == [
            rights.ROLES.index(role) >= number for number in range(3)
        ]
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "admin")
    with pytest.raises(RightsError, match="Expected one of viewer, editor, owner, but RADCBIR_WITHOUT_LOGIN = 'admin'"):
        rights.role()


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "Owner@Hospital.example"}, "owner"),
        ({"email": "owner@hospital.example", "email_verified": True}, "owner"),
        ({"email": "owner@hospital.example", "email_verified": False}, "viewer"),
        ({"email": "owner@hospital.example", "email_verified": "false"}, "viewer"),
        ({"email": "somebody@lab.example"}, "editor"),
        ({"email": "somebody@evil-lab.example"}, "viewer"),
        ({"email": "lab.example"}, "viewer"),
        ({"email": ""}, "viewer"),
        ({"sub": "7f3a"}, "owner"),
        ({}, "viewer"),
    ],
)
def test_who_logs_in_has_the_role_that_lists_them(settings, monkeypatch, claims, role):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    monkeypatch.setenv(rights.OWNERS, "owner@hospital.example, 7f3a,")
    monkeypatch.setenv(rights.EDITORS, "@lab.example")
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "owner")
    log_in(monkeypatch, **claims)
    assert rights.role() == role


def test_a_login_counts_on_this_machine_too(settings, monkeypatch):
    log_in(monkeypatch)
    assert rights.role() == "viewer"


def test_what_is_done_and_what_is_refused_is_on_record(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    rights.require("owner", "remove", "mine")
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    with pytest.raises(RightsError, match=r"Expected an owner, but you are a viewer\. Ask an owner of this server\."):
        rights.require("owner", "remove", "other\nline" + "x" * 500)
    one, other = recorded()
    assert {key: one[key] for key in one if key != "time"} == {
        "who": "me", "role": "owner", "action": "remove", "subject": "mine",
    }  # fmt: skip
    assert (other["who"], other["role"], other["action"]) == ("somebody", "viewer", "refused: remove")
    assert len(other["subject"]) == 200
    assert audit_path().stat().st_mode & 0o077 == 0
    assert audit_path().parent.stat().st_mode & 0o077 == 0


def test_what_cannot_be_put_on_record_is_not_done(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    with pytest.raises(StorageError, match="Expected space left on the disk"):
        rights.require("owner", "remove", "mine")


PAGES = ("", "retrieval", "pathology", "map", "compare", "collections")
OWNERS_BUTTONS = ("Import a collection", "Build", "Remove for good", "Rename", "Write on the server", "Dismiss")


def labels(at):
    return {button.label for button in at.button}


@pytest.mark.parametrize("page", PAGES)
def test_an_open_server_without_a_login_says_so_on_every_page(app, settings, page):
    assert not any("open to others" in warning.value for warning in app(page).warning)
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    at = app(page)
    assert not at.exception
    (warning,) = [warning.value for warning in at.warning if "open to others" in warning.value]
    assert "Whoever reaches this server may look and query" in warning


def test_a_viewer_is_not_offered_what_an_owner_is(app, settings):
    mine = app("collections", part="encoders")
    assert {"Import a collection", "Build"} <= labels(mine)
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    for part in ("overview", "encoders", "problems", "provenance", "export", "change"):
        at = app("collections", part=part)
        assert not at.exception
        assert not labels(at) & set(OWNERS_BUTTONS), part
        assert not at.get("download_button") or part == "problems"


def test_a_viewer_cannot_build_the_baseline_either(app, settings, copied_data):
    add_encoder(open_collection("small"), noise=4.5)
    shutil.rmtree(copied_data / "encoders" / "pixels")
    asked = {"encoder": "second", "versus": "pixels"}
    assert "Build pixels now" in labels(app("compare", **asked))
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    at = app("compare", **asked)
    assert not at.exception
    assert "Build pixels now" not in labels(at)
    with pytest.raises(RightsError):
        controls.begin(ImportAndBuild("small", encoders=("pixels",)), action="build pixels")


def test_whatever_pages_begin_begins_where_rights_are_asked_for():
    """The first start is the server's own; all else goes by controls.begin, or by a button of controls."""
    used = {"start", "resume", "stop", "end", "dismiss"}
    for path in (REPOSITORY / "pages").rglob("*.py"):
        name = path.relative_to(REPOSITORY).as_posix()
        if name in {"pages/parts/jobs/controls.py", "pages/parts/jobs/first_start.py"}:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        taken = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "radcbir_core.jobs"
            for alias in node.names
        }
        called = {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in used
        }
        assert "start" not in taken, name
        assert not called & {f"{of}.{word}" for of in ("job", "jobs") for word in used}, name


def test_who_is_not_logged_in_sees_the_button_to_do_so_and_nothing_else(app, settings, monkeypatch):
    log_in(monkeypatch)
    for page in PAGES:
        at = app(page)
        assert labels(at) == {"Log in"}
        assert not at.sidebar.selectbox
    log_in(monkeypatch, email="reader@hospital.example")
    at = app("")
    assert "Log out" in labels(at)
    assert any("reader@hospital.example · viewer" in element.proto.body for element in at.sidebar.get("html"))


def test_a_setting_that_is_no_role_opens_no_page(app, settings, monkeypatch):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "admin")
    at = app("")
    assert any("RADCBIR_WITHOUT_LOGIN" in error.value.replace("\\", "") for error in at.error)
    assert not at.selectbox
