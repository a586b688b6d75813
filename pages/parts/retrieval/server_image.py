"""An image of the DICOM server that an administrator has named, as query: found by an identifier, kept in memory.

Owns what is asked of it; who may ask is the business of ``frame.dicom_settings``. A visitor gives an identifier, never
an address, and what comes back is treated as an upload: it stays in the memory of the session, its header is never
shown, and the identifier is in no URL and in no record.
"""

from __future__ import annotations

import hashlib
from typing import Final

import streamlit as st

from pages.parts.frame import rights
from pages.parts.frame.dicom_settings import needed, settings
from pages.parts.images import why_panel
from pages.parts.retrieval.upload import Upload
from radcbir_core.dicomweb.client import Client, Instance, ServerLimits
from radcbir_core.dicomweb.server_address import URL, ServerAddress, configured
from radcbir_core.dicomweb.server_contents import find_by_uid
from radcbir_core.errors import RightsError, ServerError
from radcbir_core.importers.datasets.dicom_terms import is_term
from radcbir_core.wording import counted

_PATIENCE: Final = ServerLimits(seconds=120.0, silence=15.0, pauses=(0.5,))
_UID: Final = "radcbir:server-uid"
_FOUND: Final = "radcbir:server-found"
_IMAGE: Final = "radcbir:server-image"


def is_offered() -> bool:
    """Whether there is a server, and whoever looks may ask it; what is set wrongly is said where it is used."""
    try:
        return bool(settings().get(URL, "").strip()) and rights.may(needed())
    except RightsError:
        return False


def ask() -> Upload | None:
    """Draw the question for an identifier, and the choice among what it names; the chosen image, or None.

    Raises:
        RightsError: Whoever asks may not.
        ServerError: The server is set wrongly, does not answer as it should, or has nothing of this identifier.
        ImageError: It does not give the image.
    """
    address = configured(settings())
    if address is None:
        raise ServerError("Expected a DICOM server, but none is named. Ask who runs this dashboard.")
    uid = st.text_input(
        "Study, series or instance UID",
        key=_UID,
        max_chars=64,
        placeholder="1.2.840.…",
        persist_state="session",
        help="The identifier as the archive or a viewer shows it. It is not kept, and not part of the link.",
    ).strip()
    if not uid:
        st.caption("An image of the server is kept in the memory of this session, and never written to disk.")
        return None
    instance, name = _chosen(_found(address, uid))
    kept: tuple[Instance, Upload] | None = st.session_state.get(_IMAGE)
    if kept is None or kept[0] != instance:
        with st.spinner("Asking the server …"):
            data = rights.do(needed(), "retrieve from DICOM server", "", lambda: _retrieved(address, instance))
        why_panel.forget_outside()
        kept = (instance, Upload(name, data, hashlib.sha256(data).hexdigest(), instance.instance))
        st.session_state[_IMAGE] = kept
    return kept[1]


def _found(address: ServerAddress, uid: str) -> list[Instance]:
    kept: tuple[str, list[Instance]] | None = st.session_state.get(_FOUND)
    if kept is None or kept[0] != uid:
        st.session_state.pop(_FOUND, None)
        with st.spinner("Asking the server …"):
            found = rights.do(needed(), "search DICOM server", "", lambda: _searched(address, uid))
        kept = st.session_state[_FOUND] = (uid, found)
    return kept[1]


def _chosen(found: list[Instance]) -> tuple[Instance, str]:
    """Draw the choice of a series, where there are several, and of an image in it, the middle one at first."""
    by_series: dict[str, list[Instance]] = {}
    for instance in found:
        by_series.setdefault(instance.series, []).append(instance)
    series = list(by_series.values())
    place = 0
    if len(series) > 1:
        place = st.selectbox("Series", range(len(series)), format_func=lambda one: _said(one, series[one]))
    images = series[place]
    number = (len(images) + 1) // 2
    if len(images) > 1:
        digest = hashlib.sha256(images[0].series.encode()).hexdigest()[:16]
        number = st.slider("Image", 1, len(images), number, key=f"radcbir:server-number:{digest}")
    of = f" of {len(images)}" if len(images) > 1 else ""
    return images[number - 1], f"Series {place + 1}, image {number}{of}"


def _said(place: int, images: list[Instance]) -> str:
    modality = images[0].modality.upper()
    shown = f"{modality}, " if is_term("Modality", modality) else ""
    return f"{place + 1}: {shown}{counted(len(images), 'image')}"


def _searched(address: ServerAddress, uid: str) -> list[Instance]:
    with Client(address, limits=_PATIENCE) as client:
        return find_by_uid(client, uid)


def _retrieved(address: ServerAddress, instance: Instance) -> bytes:
    with Client(address, limits=_PATIENCE) as client:
        return client.retrieve(instance)
