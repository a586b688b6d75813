"""The DICOM server that whoever runs the dashboard has named: where that stands, and who may ask it.

Owns these settings. A visitor never gives an address: where others reach the dashboard, only the server that is named
here is ever asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import streamlit as st

from pages.parts.frame import rights
from pages.parts.frame.rights import Role
from radcbir_core.dicomweb.server_address import PASSWORD, TOKEN, URL, USER
from radcbir_core.errors import RightsError

WHO: Final = "RADCBIR_DICOMWEB_FOR"
"""The setting that says who may ask the server: an owner, unless it names another role."""


def needed() -> Role:
    """The least role that may ask the server.

    Raises:
        RightsError: The setting names none.
    """
    chosen = os.environ.get(WHO, "owner").strip().lower()
    for role in rights.ROLES:
        if role == chosen:
            return role
    raise RightsError(f"Expected one of {', '.join(rights.ROLES)}, but {WHO} = {chosen!r}. Set it to one of them.")


def settings() -> Mapping[str, str]:
    """What names the server: the section ``dicomweb`` of the secrets as a whole, else the environment."""
    return of_secrets() or os.environ


def of_secrets() -> dict[str, str]:
    """The section ``dicomweb`` of the secrets, as variables of the environment would say it; empty where it is none."""
    try:
        section = st.secrets.to_dict().get("dicomweb")
    except (OSError, ValueError, TypeError):
        section = None  # where secrets that cannot be read matter, the rights say so
    if not isinstance(section, Mapping):
        return {}
    names = {URL: "url", USER: "user", PASSWORD: "password", TOKEN: "token"}
    return {name: str(section.get(key, "")) for name, key in names.items()}
