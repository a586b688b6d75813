"""Who may do what: roles, where they come from, and the record of what was done.

Owns the rule. Whoever sits at a server that listens to its own machine only may do everything, because the data folder
is theirs anyway. A server that others reach knows people by their login (OpenID Connect, ``[auth]`` in Streamlit's
secrets); the settings ``RADCBIR_OWNERS`` and ``RADCBIR_EDITORS`` list their addresses, and who is not listed is a
viewer. Without a login nobody is known, so that everybody is a viewer, unless ``RADCBIR_WITHOUT_LOGIN`` says otherwise.

What a role does not allow is not drawn, and is asked for once more where it is done: :func:`require`.
"""

from __future__ import annotations

import getpass
import os
from typing import Final, Literal, get_args

import streamlit as st
from streamlit import config

from pages.parts.frame.request_guard import OWN_NAMES, is_bound_to_this_machine
from radcbir_core import audit
from radcbir_core.errors import RightsError

Role = Literal["viewer", "editor", "owner"]
"""A viewer looks, queries and evaluates; an editor corrects too; an owner imports, builds, exports and removes."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
OWNERS: Final = "RADCBIR_OWNERS"
EDITORS: Final = "RADCBIR_EDITORS"
WITHOUT_LOGIN: Final = "RADCBIR_WITHOUT_LOGIN"


def has_login() -> bool:
    """Whether people log in here: Streamlit's secrets have a section ``auth``."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def is_open_to_others() -> bool:
    """Whether others than who sits at this machine may reach the server: it listens beyond it, or a proxy passes on.

    A proxy in front of a server that listens to its own machine is known by the names it goes by.
    """
    names = {str(name).strip().lower() for name in config.get_option("server.allowedHosts")}
    return not is_bound_to_this_machine() or bool(names - set(OWN_NAMES))


def role() -> Role:
    """The role of whoever looks at this page.

    Raises:
        RightsError: ``RADCBIR_WITHOUT_LOGIN`` is no role.
    """
    if has_login():
        if not st.user.is_logged_in:
            return "viewer"
        address = _address_of_user()
        return "owner" if _listed(OWNERS, address) else "editor" if _listed(EDITORS, address) else "viewer"
    if not is_open_to_others():
        return "owner"
    chosen = os.environ.get(WITHOUT_LOGIN, "viewer").strip().lower()
    for one in ROLES:
        if one == chosen:
            return one
    raise RightsError(f"Expected one of {', '.join(ROLES)}, but {WITHOUT_LOGIN} = {chosen!r}. Set it to one of them.")


def may(needed: Role) -> bool:
    """Whether the role of whoever looks at this page includes another one."""
    return ROLES.index(role()) >= ROLES.index(needed)


def require(needed: Role, action: str, subject: str = "") -> None:
    """Make sure that whoever asks may do a thing, and put on record that they did.

    Args:
        needed: The least role that may.
        action: What is done, in a word or two: "import", "remove".
        subject: To what: the name of a collection, or the id of a job.

    Raises:
        RightsError: They may not.
    """
    if not may(needed):
        audit.record(f"refused: {action}", subject, who=name(), role=role())
        raise RightsError(
            f"Expected an {needed}, but you are {'an' if role() == 'editor' else 'a'} {role()}. "
            f"Ask an owner of this server."
        )
    audit.record(action, subject, who=name(), role=role())


def name() -> str:
    """Who this is, for the record: the address they logged in with, else the account at whose machine they sit."""
    if has_login():
        return (_address_of_user() or "not logged in") if st.user.is_logged_in else "not logged in"
    return "somebody" if is_open_to_others() else getpass.getuser()


def _address_of_user() -> str:
    """The address that the provider vouches for; one that it calls unverified is nobody's."""
    claims = st.user.to_dict()
    unverified = claims.get("email_verified") in {False, "false"}
    return "" if unverified else str(claims.get("email") or claims.get("sub") or "").strip().lower()


def _listed(variable: str, address: str) -> bool:
    """Whether a setting lists an address, or the part of all addresses that begins with ``@``."""
    entries = {entry.strip().lower() for entry in os.environ.get(variable, "").split(",")} - {""}
    return bool(address) and any(
        address == entry or (entry.startswith("@") and address.endswith(entry)) for entry in entries
    )
