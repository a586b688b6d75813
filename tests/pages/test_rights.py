"""Roles: what each is shown and may do, where they come from, and the record of what was done."""

from __future__ import annotations

import errno
import json
import shutil
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit import config

from pages.parts.collections import changes
from pages.parts.collections.wizard import dry_run, source, steps
from pages.parts.collections.wizard.draft import Draft
from pages.parts.frame import rights
from pages.parts.jobs import controls, first_start
from radcbir_core.audit import audit_path
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import RightsError, StorageError
from radcbir_core.evaluation import evaluation_of
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from radcbir_core.jobs.kinds.export_file import exports_folder
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.storage import write_json
from tests.second_encoder import add_encoder


@pytest.fixture
def settings(monkeypatch):
    """What the server is set to; a test changes it."""
    values = {"server.address": "127.0.0.1", "server.allowedHosts": [], "server.corsAllowedOrigins": []}
    original = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: values.get(name, original(name)))
    for variable in (rights.OWNERS, rights.EDITORS, rights.WITHOUT_LOGIN):
        monkeypatch.delenv(variable, raising=False)
    return values


def recorded():
    return [json.loads(line) for line in audit_path().read_text(encoding="utf-8").splitlines()]


def log_in(monkeypatch, **claims):
    user = SimpleNamespace(is_logged_in=bool(claims), to_dict=lambda: {"is_logged_in": bool(claims), **claims})
    monkeypatch.setattr(rights, "has_login", lambda: True)
    monkeypatch.setattr(st, "user", user)


@pytest.mark.parametrize(
    ("address", "hosts", "origins", "is_open"),
    [
        ("127.0.0.1", [], [], False),
        ("localhost", ["localhost", "127.0.0.1", "LOCALHOST."], [], False),
        ("127.0.0.5", ["127.0.0.5"], [], False),
        ("::1", [], [], False),
        ("127.0.0.1", [], ["http://localhost:3000", "https://127.0.0.1:8443/", "http://[::1]:3000"], False),
        ("0.0.0.0", [], [], True),  # noqa: S104 - what a server may be set to
        ("", [], [], True),
        (None, [], [], True),
        ("10.0.0.7", [], [], True),
        ("127.0.0.1", ["radcbir.hospital.example"], [], True),
        ("127.0.0.1", ["*"], [], True),
        ("127.0.0.1", [], ["https://radcbir.hospital.example"], True),
        ("127.0.0.1", [], ["http://localhost:3000", "https://10.0.0.7:8501"], True),
        ("127.0.0.1", [], ["https://localhost.evil.example"], True),
        ("127.0.0.1", [], ["https://localhost@evil.example"], True),
        ("127.0.0.1", [], ["*"], True),
        ("127.0.0.1", [], ["null"], True),
    ],
)
def test_a_server_is_open_by_its_address_or_by_the_names_others_have_for_it(settings, address, hosts, origins, is_open):
    settings.update({"server.address": address, "server.allowedHosts": hosts, "server.corsAllowedOrigins": origins})
    assert rights.is_open_to_others() == is_open
    assert rights.visitor().role == ("viewer" if is_open else "owner")


@pytest.mark.parametrize(
    ("header", "is_open"),
    [
        ("Forwarded", True),
        ("x-forwarded-for", True),
        ("X-Forwarded-Host", True),
        ("X-Forwarded-Proto", True),
        ("X-Real-IP", True),
        ("Via", True),
        ("Host", False),
        ("X-Requested-With", False),
    ],
)
def test_a_request_that_a_proxy_has_passed_on_may_be_anybodys(settings, monkeypatch, header, is_open):
    monkeypatch.setattr(st, "context", SimpleNamespace(headers={header: "127.0.0.1"}))
    assert rights.is_open_to_others() == is_open
    assert rights.visitor().role == ("viewer" if is_open else "owner")


@pytest.fixture
def secrets(monkeypatch, tmp_path):
    """Streamlit's secrets, of one file that is not there yet, as where nothing else is set."""
    from streamlit.runtime.secrets import secrets_singleton

    path = tmp_path / "secrets.toml"
    original = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: [str(path)] if name == "secrets.files" else original(name))
    monkeypatch.setattr(secrets_singleton, "_secrets", None)
    yield path
    secrets_singleton._reset()


def complete(**given):
    section = {key: f"a {key}" for key in rights.NEEDED_OF_LOGIN} | given
    return "[auth]\n" + "".join(f"{key} = {value!r}\n" for key, value in section.items() if value is not None)


def test_without_secrets_or_without_their_section_nobody_logs_in(settings, secrets):
    assert not rights.has_login()
    secrets.write_text("[other]\nkey = 1\n")
    assert not rights.has_login()
    assert rights.visitor().role == "owner"


def test_a_complete_section_is_a_login(settings, secrets):
    secrets.write_text(complete())
    assert rights.has_login()
    assert rights.visitor() == rights.Visitor("not logged in", "viewer")


def test_a_section_may_have_its_provider_under_default(secrets):
    of_provider = dict.fromkeys(rights.NEEDED_OF_LOGIN[2:])
    own = "".join(f"{key} = 'x'\n" for key in of_provider)
    secrets.write_text(f"{complete(**of_provider)}[auth.default]\n{own}")
    assert rights.has_login()


@pytest.mark.parametrize("missing", rights.NEEDED_OF_LOGIN)
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_section_that_is_not_complete_lets_nobody_in(settings, secrets, missing, value):
    secrets.write_text(complete(**{missing: value}))
    with pytest.raises(RightsError, match=rf"in the section auth of the secrets, but {missing} is missing\."):
        rights.visitor()


@pytest.mark.parametrize(
    "content",
    [b"[auth\nclient_id = 1", b"[auth]\nclient_id = caf\xe9", b"\xff\xfe[auth]", b'auth = "yes"', b"auth = []"],
)
def test_secrets_that_cannot_be_understood_let_nobody_in(settings, secrets, content):
    secrets.write_bytes(content)
    with pytest.raises(RightsError, match="Expected "):
        rights.visitor()


def test_secrets_that_cannot_be_opened_let_nobody_in(settings, secrets):
    secrets.mkdir()
    with pytest.raises(RightsError, match="Expected secrets that can be read"):
        rights.visitor()
    secrets.rmdir()
    secrets.symlink_to(secrets.with_name("gone.toml"))
    with pytest.raises(RightsError, match="Expected secrets that can be read"):
        rights.visitor()


def test_secrets_that_may_not_be_looked_at_let_nobody_in(settings, secrets, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.lstat", refuse)
    with pytest.raises(RightsError, match="Expected secrets that can be read"):
        rights.visitor()


def test_secrets_that_a_setting_names_must_be_there(settings, secrets, monkeypatch):
    monkeypatch.setattr(config, "is_manually_set", lambda name: name == "secrets.files")
    with pytest.raises(RightsError, match="Expected secrets that can be read"):
        rights.visitor()


def test_broken_secrets_open_no_page(app, settings, secrets):
    secrets.write_text("[auth")
    for page in PAGES:
        at = app(page)
        assert not at.exception
        assert any("Expected secrets that can be read" in error.value for error in at.error)
        assert not at.selectbox
        assert not at.button


def test_without_a_login_a_setting_says_what_everybody_may(settings, monkeypatch):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    for role in rights.ROLES:
        monkeypatch.setenv(rights.WITHOUT_LOGIN, f" {role.upper()} ")
        assert rights.visitor().role == role
        assert [rights.may(needed) for needed in rights.ROLES] == [
            rights.ROLES.index(role) >= number for number in range(3)
        ]
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "admin")
    with pytest.raises(RightsError, match="Expected one of viewer, editor, owner, but RADCBIR_WITHOUT_LOGIN = 'admin'"):
        rights.visitor()


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "Owner@Hospital.example", "email_verified": True}, "owner"),
        ({"email": "owner@hospital.example", "email_verified": "true"}, "owner"),
        ({"email": "owner@hospital.example", "email_verified": " True "}, "owner"),
        ({"email": "owner@hospital.example"}, "viewer"),
        *(
            ({"email": "owner@hospital.example", "email_verified": said}, "viewer")
            for said in (False, None, "false", "False", "0", "", 0, 1, "1", "yes", [True], {"true": True})
        ),
        ({"email": "somebody@lab.example", "email_verified": True}, "editor"),
        ({"email": "somebody@lab.example"}, "viewer"),
        ({"email": "somebody@evil-lab.example", "email_verified": True}, "viewer"),
        ({"email": "somebody@x@lab.example", "email_verified": True}, "viewer"),
        ({"email": "@lab.example", "email_verified": True}, "viewer"),
        ({"email": "lab.example", "email_verified": True}, "viewer"),
        ({"email": "", "email_verified": True}, "viewer"),
        ({"email": "7f3A", "email_verified": True}, "viewer"),
        ({"sub": "7f3A"}, "owner"),
        ({"sub": "7f3a"}, "viewer"),
        ({"sub": "somebody@lab.example"}, "viewer"),
        ({"sub": "somebody@lab.example", "email_verified": True}, "viewer"),
        ({"sub": "owner@hospital.example", "email": "x@evil.example", "email_verified": True}, "viewer"),
        ({}, "viewer"),
    ],
)
def test_who_logs_in_has_the_role_that_lists_them(settings, monkeypatch, claims, role):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    monkeypatch.setenv(rights.OWNERS, "owner@hospital.example, 7f3A,, @")
    monkeypatch.setenv(rights.EDITORS, "@lab.example")
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "owner")
    log_in(monkeypatch, **claims)
    assert rights.visitor().role == role


def test_a_login_counts_on_this_machine_too(settings, monkeypatch):
    log_in(monkeypatch)
    assert rights.visitor().role == "viewer"


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


PAGES = ("", "retrieval", "pathology", "map", "compare", "collections", "presentation")
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


def test_a_download_is_theirs_who_were_shown_its_button(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    log_in(monkeypatch, sub="7f3A")
    monkeypatch.setenv(rights.OWNERS, "7f3A")
    mine = rights.handing_out("owner", "download manifest", "small", lambda: b"all of it")
    log_in(monkeypatch, sub="other")
    theirs = rights.handing_out("owner", "download manifest", "small", lambda: b"all of it")
    log_in(monkeypatch)  # Streamlit calls it in a thread that knows nobody
    assert mine() == b"all of it"
    with pytest.raises(RightsError):
        theirs()
    assert [(line["who"], line["role"], line["action"]) for line in recorded()] == [
        ("7f3A", "owner", "download manifest"),
        ("other", "viewer", "refused: download manifest"),
    ]


def test_every_download_of_an_export_is_on_record(app, settings, copied_data, monkeypatch):
    """Those that are made for the browser, and those that lie on the server already."""
    made = []
    monkeypatch.setattr(rights, "handing_out", lambda *words: made.append(words[:3]) or (lambda: b""))
    folder = exports_folder()
    folder.mkdir(parents=True)
    (folder / "small-old.csv").write_text("a")
    at = app("collections", part="export")
    assert not at.exception
    assert {(needed, action.split()[0]) for needed, action, _ in made} == {("owner", "download")}
    assert ("owner", "download export", "small-old.csv") in made
    assert len(made) == len(at.get("download_button")) == 3


def test_what_is_refused_to_a_viewer_says_no_more(settings, copied_data, monkeypatch):
    """Whether work goes on is not theirs to know: the right is asked for first."""
    asked = []
    monkeypatch.setattr(changes.jobs, "at_work_on", asked.append)
    monkeypatch.setattr(changes.shell, "show_error", lambda error: asked.append(type(error)))
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    changes._carry_out("remove", "small", lambda: asked.append("removed"), then=None, said="")
    assert asked == [RightsError]


def test_a_part_of_the_page_that_is_drawn_by_itself_asks_too(settings, monkeypatch):
    class Again(Exception):
        pass

    def again():
        raise Again

    monkeypatch.setattr(steps.st, "rerun", again)
    monkeypatch.setattr(steps, "STEPS", ())
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    with pytest.raises(Again):
        steps._steps.__wrapped__(Draft())


def test_looking_into_sources_is_an_owners_and_on_record(settings, copied_data, monkeypatch, tmp_path):
    """A folder of the server, an upload and a dry run each read what somebody names."""
    looks = {
        "look into": lambda: source._look_into(tmp_path),
        "upload": lambda: source._keep([SimpleNamespace(name="a.zip")]),
        "dry run": lambda: dry_run.draw(Draft(source_name="a.csv")),
    }
    for module, name in ((source, "keep_upload"), (source, "remove_unused"), (source, "detect"), (dry_run, "preview")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("nothing may be read"))
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    for action, look in looks.items():
        with pytest.raises(RightsError):
            look()
        assert recorded()[-1]["action"] == f"refused: {action}"


EVALUATION = EvaluateEncoder("small", "pixels", evaluation_of("precision"))


def test_an_evaluation_is_stopped_by_who_began_it_or_by_an_editor(settings, copied_data, monkeypatch):
    log_in(monkeypatch, sub="first")
    job = controls.begin(EVALUATION, action="evaluate")
    job.wait(60)
    assert job.by == "first"
    allowed = {}
    monkeypatch.setenv(rights.OWNERS, "boss")
    monkeypatch.setenv(rights.EDITORS, "helper")
    for person in ("first", "second", "helper", "boss"):
        log_in(monkeypatch, sub=person)
        allowed[person] = controls.may_control(job)
    assert allowed == {"first": True, "second": False, "helper": True, "boss": True}
    log_in(monkeypatch, sub="second")
    with pytest.raises(RightsError):
        controls._carry_out("dismiss", job, job.dismiss)
    log_in(monkeypatch, sub="first")
    controls._carry_out("dismiss", job, job.dismiss)
    assert not job.folder.exists()
    assert [(line["who"], line["action"]) for line in recorded()] == [
        ("second", "refused: dismiss evaluation"),
        ("first", "dismiss evaluation"),
    ]


def test_without_a_login_one_visit_is_told_from_another(settings, copied_data, monkeypatch):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    visit = {}
    monkeypatch.setattr(st, "session_state", visit)
    job = controls.begin(EVALUATION, action="evaluate")
    job.wait(60)
    assert controls.may_control(job)
    visit.clear()
    assert not controls.may_control(job)
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "editor")
    assert controls.may_control(job)


def test_jobs_of_before_say_nothing_of_who_began_them(settings, copied_data, monkeypatch):
    job = controls.begin(EVALUATION, action="evaluate")
    job.wait(60)
    record = json.loads((job.folder / "request.json").read_text())
    for by in ({}, {"by": None}, {"by": 7}):
        write_json(job.folder / "request.json", {**record, **by} if by else {k: record[k] for k in ("kind", "request")})
        assert job.by == ""
        assert job.request == EVALUATION
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    assert not controls.may_control(job)


def test_what_the_server_begins_by_itself_is_on_record_as_its_own(app, settings, copied_data, monkeypatch):
    shutil.rmtree(copied_data)
    begun = []
    monkeypatch.setattr("pages.parts.jobs.first_start.start", begun.append)
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    first_start._begun()
    (line,) = recorded()
    assert (line["who"], line["role"], line["action"]) == ("server", "server", "make demonstration")
    assert len(begun) == 1


def test_who_is_not_logged_in_sees_the_button_to_do_so_and_nothing_else(app, settings, monkeypatch):
    log_in(monkeypatch)
    for page in PAGES:
        at = app(page)
        assert labels(at) == {"Log in"}
        assert not at.sidebar.selectbox
    log_in(monkeypatch, email="reader@hospital.example", email_verified=True)
    at = app("")
    assert "Log out" in labels(at)
    assert any("reader@hospital.example · viewer" in element.proto.body for element in at.sidebar.get("html"))


def test_a_setting_that_is_no_role_opens_no_page(app, settings, monkeypatch):
    settings["server.address"] = "0.0.0.0"  # noqa: S104 - what a server may be set to
    monkeypatch.setenv(rights.WITHOUT_LOGIN, "admin")
    at = app("")
    assert any("RADCBIR_WITHOUT_LOGIN" in error.value.replace("\\", "") for error in at.error)
    assert not at.selectbox
