"""Who may do what: roles, where they come from, and the record of what was done.

Owns the rule. Whoever sits at a server that listens to its own machine only may do everything, because the data folder
is theirs anyway. A server that others reach knows people by their login (OpenID Connect, ``[auth]`` in Streamlit's
secrets); the settings ``RADCBIR_OWNERS`` and ``RADCBIR_EDITORS`` list them, and who is not listed is a viewer. Without
a login nobody is known, so that everybody is a viewer, unless ``RADCBIR_WITHOUT_LOGIN`` says otherwise. Where it cannot
be told whether there is a login, nobody may do anything.

What a role does not allow is not drawn, and is asked for once more where it is done: :func:`do`, :func:`handing_out`
and :func:`require`. Pages call what changes or lets out something inside one of these only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args
from uuid import uuid4

import streamlit as st
from streamlit import config

from pages.parts.frame.request_guard import is_bound_to_this_machine, is_known_to_others, is_passed_on
from radcbir_core import audit
from radcbir_core.errors import RightsError

Role = Literal["viewer", "editor", "owner"]
"""A viewer looks, queries and evaluates; an editor corrects too; an owner imports, builds, exports and removes."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
OWNERS: Final = "RADCBIR_OWNERS"
EDITORS: Final = "RADCBIR_EDITORS"
WITHOUT_LOGIN: Final = "RADCBIR_WITHOUT_LOGIN"


NEEDED_OF_LOGIN: Final = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
"""What the section ``auth`` must have; Streamlit asks for each only when somebody logs in."""
_MARK: Final = "radcbir:mark"

T = TypeVar("T")


@dataclass(frozen=True)
class Visitor:
    """Whoever looks at a page.

    Attributes:
        name: Who they are, for the record.
        role: What they may.
    """

    name: str
    role: Role

    def may(self, needed: Role) -> bool:
        """Whether their role includes another one."""
        return ROLES.index(self.role) >= ROLES.index(needed)


def has_login() -> bool:
    """Whether people log in here: Streamlit's secrets have a section ``auth``.

    Raises:
        RightsError: There are secrets, and they cannot be read or their section is not complete.
    """
    try:
        section = st.secrets.to_dict().get("auth")
    except (OSError, ValueError, TypeError) as error:
        # What Streamlit raises where there are no secrets is what it raises where they cannot be understood.
        for path in map(str, config.get_option("secrets.files")):
            if _may_be_there(path) or config.is_manually_set("secrets.files"):
                raise RightsError(
                    f"Expected secrets that can be read, because they say whether people log in, but those in {path} "
                    "cannot. Mend the file, or remove it, and start again."
                ) from error
        return False
    if section is None:
        return False
    missing = list(NEEDED_OF_LOGIN)
    if isinstance(section, Mapping):
        own = section.get("default")
        given = section if not isinstance(own, Mapping) else {**section, **own}
        missing = [key for key in NEEDED_OF_LOGIN if not str(given.get(key) or "").strip()]
    if missing:
        raise RightsError(
            f"Expected {', '.join(NEEDED_OF_LOGIN)} in the section auth of the secrets, but {', '.join(missing)} is "
            "missing. Write it, or remove the section, and start again."
        )
    return True


def _may_be_there(path: str) -> bool:
    """Whether there is something at a path, or somebody does not let us see whether."""
    try:
        os.lstat(Path(path).expanduser())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def is_open_to_others() -> bool:
    """Whether others than who sits at this machine may reach the server: it listens beyond it, or a proxy passes on.

    A proxy in front of a server that listens to its own machine is known by the names and origins that the settings
    allow, and by what it writes into the headers of requests.
    """
    return not is_bound_to_this_machine() or is_known_to_others() or is_passed_on(st.context.headers)


def visitor() -> Visitor:
    """Whoever looks at this page.

    Raises:
        RightsError: It cannot be told: the secrets cannot be read, or ``RADCBIR_WITHOUT_LOGIN`` is no role.
    """
    if has_login():
        claims = st.user.to_dict()
        if claims.get("is_logged_in") is not True:
            return Visitor("not logged in", "viewer")
        is_owner, is_editor = (_lists(variable, claims) for variable in (OWNERS, EDITORS))
        called = _verified_address(claims) or str(claims.get("sub") or "").strip() or "not known"
        return Visitor(called, "owner" if is_owner else "editor" if is_editor else "viewer")
    if not is_open_to_others():
        return Visitor(audit.account(), "owner")
    chosen = os.environ.get(WITHOUT_LOGIN, "viewer").strip().lower()
    for one in ROLES:
        if one == chosen:
            return Visitor("somebody", one)
    raise RightsError(f"Expected one of {', '.join(ROLES)}, but {WITHOUT_LOGIN} = {chosen!r}. Set it to one of them.")


def may(needed: Role) -> bool:
    """Whether the role of whoever looks at this page includes another one."""
    return visitor().may(needed)


def require(needed: Role, action: str, subject: str = "", *, of: Visitor | None = None) -> None:
    """Make sure that whoever asks may do a thing, and put on record that they did.

    Args:
        needed: The least role that may.
        action: What is done, in a word or two: "import", "remove".
        subject: To what: the name of a collection, or the id of a job.
        of: Who asks, where they were known earlier; whoever looks at this page by default.

    Raises:
        RightsError: They may not.
    """
    who = visitor() if of is None else of
    if not who.may(needed):
        audit.record(f"refused: {action}", subject, who=who.name, role=who.role)
        raise RightsError(
            f"Expected an {needed}, but you are {'an' if who.role == 'editor' else 'a'} {who.role}. "
            f"Ask an owner of this server."
        )
    audit.record(action, subject, who=who.name, role=who.role)


def do(needed: Role, action: str, subject: str, what: Callable[[], T]) -> T:
    """Do a thing for whoever asks, if they may, and put it on record before.

    Args:
        needed: The least role that may.
        action: What is done, in a word or two.
        subject: To what.
        what: Does it.

    Raises:
        RightsError: They may not.
    """
    require(needed, action, subject)
    return what()


def handing_out(needed: Role, action: str, subject: str, make: Callable[[], bytes]) -> Callable[[], bytes]:
    """What a button for a download calls: makes what is downloaded, if whoever was shown the button may have it.

    Streamlit calls it in a thread that knows of no person, so that they are known from when it was drawn.

    Args:
        needed: The least role that may.
        action: What is let out, in a word or two.
        subject: Of what.
        make: Makes it.
    """
    who = visitor()

    def made() -> bytes:
        require(needed, action, subject, of=who)
        return make()

    return made


def mark() -> str:
    """What tells whoever looks from others, as far as that is known, to be kept with what they begin.

    It is their name where they log in, else something random that lasts as long as their visit.
    """
    return visitor().name if has_login() else str(st.session_state.setdefault(_MARK, f"visit {uuid4().hex}"))


def _verified_address(claims: Mapping[str, object]) -> str:
    """The address that the provider says it has verified; empty where it does not say so."""
    verified = claims.get("email_verified")
    if verified is not True and not (isinstance(verified, str) and verified.strip().lower() == "true"):
        return ""
    return str(claims.get("email") or "").strip().lower()


def _lists(variable: str, claims: Mapping[str, object]) -> bool:
    """Whether a setting lists a person.

    An entry with ``@`` is of verified addresses only, all that end so where it begins with it; one without is what the
    provider calls the person by (``sub``), which has upper and lower case.
    """
    address, subject = _verified_address(claims), str(claims.get("sub") or "").strip()
    name, at, domain = address.partition("@")
    for entry in map(str.strip, os.environ.get(variable, "").split(",")):
        if "@" not in entry:
            is_listed = bool(entry) and entry == subject
        elif entry.startswith("@"):
            is_listed = bool(name and at and domain) and f"@{domain}" == entry.lower()
        else:
            is_listed = address == entry.lower()
        if is_listed:
            return True
    return False
