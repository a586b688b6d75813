"""Second step of the import: what the source is, and what has to be said about it.

Owns the questions about a format; which ones a format understands says ``radcbir_core.importers.formats``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from pages.parts.collections.wizard import columns, server_folders
from pages.parts.collections.wizard.draft import DICOMWEB, Draft, again
from pages.parts.collections.wizard.source import say_notes
from pages.parts.frame import shell
from pages.parts.frame.text import literal
from radcbir_core.errors import ManifestError
from radcbir_core.importers.formats import FORMATS, format_named, formats_of
from radcbir_core.vocabulary import MODALITIES

ABOUT: Final = {
    "manifest": "Tables with a column path, or images without labels",
    "embeddings": "Embeddings without images (HDF5, .npy, .npz or Parquet, and a table)",
    "nih14": "NIH ChestX-ray14",
    "radimagenet": "RadImageNet",
    "chexpert": "CheXpert",
    "mimic-cxr": "MIMIC-CXR-JPG",
    "dicom": "DICOM files, or a DICOMDIR",
    DICOMWEB: "Studies of a DICOM server",
    "medmnist": "MedMNIST (.npz)",
    "nifti": "NIfTI volumes (.nii, .nii.gz)",
    "folder": "Folders named modality/anatomy/pathology",
    "csv": "Any CSV, with its columns chosen here",
    "parquet": "Any Parquet table, with its columns chosen here",
}
CHECKS: Final = {
    "decode": "Read and decode each image: damage and sizes are known",
    "bytes": "Read each file: exact duplicates are known; damage shows when an encoder is built",
    "exists": "Only look whether each file is there: quickest; exact duplicates stay unknown",
}
UNCERTAIN: Final = {
    "": "Not positive, as in the paper",
    "positive": "Positive",
    "own-label": "A label of their own",
}


def draw(draft: Draft) -> None:
    """Draw the step."""
    say_notes(draft)
    recognized, reason = draft.found_format
    st.markdown(f"Recognized as **{literal(ABOUT[recognized])}**, by {literal(reason)}.")
    # A server is no path, and has no other format.
    names = [known.name for known in FORMATS if (known.name == DICOMWEB) == bool(draft.server)]
    left, right = st.columns(2, gap="medium")
    with left:
        key = draft.key("format", recognized, options=names)
        name = draft.keep(
            "format",
            st.selectbox(
                "Format",
                names,
                key=key,
                format_func=ABOUT.__getitem__,
                help="Choose another where it was mistaken.",
            ),
        )
    understood = format_named(name).options
    options: dict[str, Any] = {}
    problem: ManifestError | None = None
    try:
        for option, ask in _QUESTIONS.items():
            if option in understood:
                with right if option in {"check", "encoder_id"} else left:
                    options |= ask(draft)
        if "mapping" in understood:
            options["mapping"] = columns.ask(draft, draft.paths[0], header=not options.get("no_header"))
    except ManifestError as error:
        problem = error
        shell.show_error(error)
    if st.button(
        "Look at it",
        type="primary",
        icon=":material/arrow_forward:",
        icon_position="right",
        disabled=problem is not None,
        help="A dry run: nothing is written.",
    ):
        draft.format_name = name
        draft.options = {option: value for option, value in options.items() if value not in (None, "", {})}
        with shell.errors_shown():
            formats_of(draft.request(), format_name=name)
            draft.step = 2
            again()


def _image_root(draft: Draft) -> dict[str, Any]:
    text = draft.keep(
        "image_root",
        st.text_input(
            "Image folder",
            key=draft.key("image_root", ""),
            placeholder="the table's own folder",
            help="What the paths in the table start from. An uploaded table needs it, unless its images are not at "
            "hand (embeddings).",
        ),
    )
    return {"image_root": server_folders.allowed(text) if text.strip() else None}


def _modality(draft: Draft) -> dict[str, Any]:
    known = ["", *MODALITIES]
    value = st.selectbox(
        "Modality of all images",
        known,
        key=draft.key("modality", "", options=known),
        format_func=lambda word: word or "as the source says",
        help="For images whose source does not say.",
    )
    return {"modality": draft.keep("modality", value)}


def _anatomy(draft: Draft) -> dict[str, Any]:
    value = st.text_input(
        "Anatomy of all images", key=draft.key("anatomy", ""), placeholder="as the source says", max_chars=80
    )
    return {"anatomy": draft.keep("anatomy", value).strip()}


def _check(draft: Draft) -> dict[str, Any]:
    known = list(CHECKS)
    value = st.radio(
        "How far each file is looked at",
        known,
        key=draft.key("check", "decode", options=known),
        format_func=CHECKS.__getitem__,
    )
    return {"check": draft.keep("check", value)}


def _every(draft: Draft) -> dict[str, Any]:
    value = st.number_input(
        "One slice of every",
        min_value=1,
        max_value=1000,
        key=draft.key("every", 1),
        help="Neighboring slices of a volume are nearly the same; 5 takes every fifth.",
    )
    return {"every": int(draft.keep("every", value))}


def _uncertain(draft: Draft) -> dict[str, Any]:
    known = list(UNCERTAIN)
    value = st.selectbox(
        "Uncertain labels are",
        known,
        key=draft.key("uncertain", "", options=known),
        format_func=UNCERTAIN.__getitem__,
    )
    return {"uncertain": draft.keep("uncertain", value)}


def _suffix(draft: Draft) -> dict[str, Any]:
    text = st.text_input(
        "Suffix of the files",
        key=draft.key("suffix", ""),
        placeholder="found out; .png",
        max_chars=20,
        help="What the names of files in the table lack, where several files would fit.",
    )
    return {"suffix": draft.keep("suffix", text).strip()}


def _no_header(draft: Draft) -> dict[str, Any]:
    value = st.toggle(
        "The first line is an image, no header",
        key=draft.key("no_header", default=False),
        help="The columns are then called 1, 2 and so on.",
    )
    return {"no_header": bool(draft.keep("no_header", value)) or None}


def _masks(draft: Draft) -> dict[str, Any]:
    value = st.toggle(
        "Masks beside images are images too",
        key=draft.key("masks", default=False),
        help="Files such as a_mask.png beside a.png, or masks/a.png beside images/a.png, are left out otherwise.",
    )
    return {"masks": bool(draft.keep("masks", value)) or None}


def _leave_out(draft: Draft) -> dict[str, Any]:
    text = st.text_input(
        "Leave out",
        key=draft.key("leave_out", ""),
        placeholder="nothing; *_old.png, sketches",
        max_chars=400,
        help="Patterns of paths, or of names of files and folders, separated by commas.",
    )
    words = [word.strip() for word in draft.keep("leave_out", text).split(",")]
    return {"leave_out": tuple(filter(None, words)) or None}


def _encoder_id(draft: Draft) -> dict[str, Any]:
    value = draft.keep(
        "encoder_id",
        st.text_input(
            "What made the vectors",
            key=draft.key("encoder_id", ""),
            placeholder="biomedclip-paper",
            max_chars=80,
            help="Lower-case letters, digits, '.', '_' and '-'.",
        ),
    ).strip()
    if not value:
        raise ManifestError(
            "Expected the name of the encoder that made the vectors, but there is none. Write, for example, "
            "biomedclip-paper."
        )
    return {"encoder_id": value}


_QUESTIONS: Final[dict[str, Callable[[Draft], dict[str, Any]]]] = {
    "check": _check,
    "encoder_id": _encoder_id,
    "image_root": _image_root,
    "modality": _modality,
    "anatomy": _anatomy,
    "every": _every,
    "uncertain": _uncertain,
    "suffix": _suffix,
    "no_header": _no_header,
    "masks": _masks,
    "leave_out": _leave_out,
}
