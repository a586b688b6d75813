"""A DICOM server as the source of an import: which server, what of it, and how many images these are.

Owns these questions, and the rule of who may name a server: what is asked from here is asked with the reach of this
machine, so a dashboard that others reach asks the server that whoever runs it has named, and no other. Identifiers of
studies stay in the memory of the session and of the import's process. What comes is de-identified on the way by
``radcbir_core.importers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st

from pages.parts.collections.wizard.draft import Draft, again
from pages.parts.frame import dicom_settings, rights, shell
from pages.parts.frame.text import literal, message
from radcbir_core.dicomweb.client import Client
from radcbir_core.dicomweb.server_address import URL, ServerAddress, address_of
from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.errors import ManifestError, ServerError
from radcbir_core.importers.datasets.dicom_server import count_instances

MODALITIES: Final = ("CR", "CT", "DX", "IO", "MG", "MR", "NM", "PT", "PX", "RF", "US", "XA")
"""Of the standard's modalities (PS3.3, C.7.3.1.1.1) those whose objects are radiological images."""


def is_offered() -> bool:
    """Whether there is a server to import from: one is named, or whoever looks may name one."""
    return bool(_named()) or not rights.is_open_to_others()


def draw(draft: Draft) -> None:
    """Draw the questions, and the button that asks the server."""
    st.caption(
        "Studies come over DICOMweb, and are de-identified on the way: of each file only what shows and places its "
        "pictures is written, with pseudonyms for patient and study. Text that is burned into pixels stays."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        url = _address(draft)
        key = draft.key("source studies", "")
        studies = draft.keep(
            "source studies",
            st.text_area(
                "Studies, by their UIDs",
                key=key,
                height=96,
                placeholder="1.2.840.… one a line; all that fit the rest where empty",
                help="As the archive or a viewer shows them. They are not written down. Names and numbers of patients "
                "are never asked for.",
            ),
        )
    with right:
        key = draft.key("source modalities", [], options=MODALITIES)
        modalities = draft.keep(
            "source modalities", st.multiselect("Modalities", MODALITIES, key=key, placeholder="all")
        )
        key = draft.key("source days", "")
        days = draft.keep(
            "source days",
            st.text_input(
                "Days of the studies",
                key=key,
                max_chars=40,
                placeholder="20240101-20241231, or one day; all where empty",
            ),
        )
    if st.button("Next", type="primary", icon=":material/arrow_forward:", icon_position="right"):
        matching = {"Modality": list(modalities), "StudyDate": [days.strip()] if days.strip() else []}
        words = studies.replace(",", " ").split()
        wanted = Wanted(tuple(dict.fromkeys(words)), matching={name: of for name, of in matching.items() if of})
        with shell.errors_shown():
            address = allowed(url)
            wanted.check()
            with st.spinner("Asking the server what it has…", show_time=True):
                counts = rights.do("owner", "search DICOM server", address.named, lambda: _counted(address, wanted))
            if not counts:
                raise ManifestError(
                    f"Expected images, but {address.named} has none of what is wanted. Choose more widely."
                )
            draft.choose_server(url, address.named, wanted, counts)
            again()


def allowed(url: str) -> ServerAddress:
    """The server at an address, if it may be asked from here.

    Raises:
        ServerError: It may not, or it is no address.
    """
    named = _named()
    if (named and url.strip() != named) or (not named and rights.is_open_to_others()):
        raise ServerError(
            f"Expected the DICOM server that is named for this dashboard, but it is another. Start it with {URL} set "
            "to the server that may be imported from."
        )
    if not url.strip():
        raise ServerError("Expected the address of a DICOMweb server, but it is empty. Write it.")
    return address_of(url, dicom_settings.settings())


def say_notes(draft: Draft) -> None:
    """Say what is to be known of the server."""
    for note in address_of(draft.server, dicom_settings.settings()).notes:
        st.caption(message(note))


def credentials() -> Mapping[str, str]:
    """What the import's process has to be told of the server, because it does not see what is named here."""
    return dicom_settings.of_secrets()


def _named() -> str:
    return dicom_settings.settings().get(URL, "").strip()


def _address(draft: Draft) -> str:
    named = _named()
    if named:
        try:
            st.markdown(
                f"From **{literal(address_of(named, dicom_settings.settings()).named)}**, named for this server"
            )
        except ServerError as error:
            shell.show_error(error)
        return named
    return str(
        draft.keep(
            "source server",
            st.text_input(
                "Address of the server",
                key=draft.key("source server", ""),
                max_chars=400,
                placeholder="https://pacs.hospital.example/dicom-web",
                help="Up to what its services begin with. Credentials are set where this dashboard is started.",
            ),
        )
    )


def _counted(address: ServerAddress, wanted: Wanted) -> dict[str, int]:
    with Client(address) as client:
        return count_instances(client, wanted)
