"""What the pages share, on its own: the escapes, the palette, agreement, and uploads that never touch the disk."""

from __future__ import annotations

import asyncio
import doctest
import re
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

from pages.parts.evaluation import label_chart, tiles
from pages.parts.frame import palette, shell, text
from pages.parts.frame.csv_text import csv_bytes
from pages.parts.images import gallery
from pages.parts.jobs import stages
from radcbir_core.collections.artifacts import ARTIFACT_NAMES, ARTIFACTS
from radcbir_core.jobs import Status


@pytest.mark.parametrize("module", [gallery, label_chart, palette, text, tiles], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(st.text())
def test_literal_leaves_no_sign_of_markdown_unescaped(raw):
    raw = raw.replace("\N{WORD JOINER}", "")
    escaped = text.literal(raw)
    assert re.sub(r"\\(.)", r"\1", escaped).replace("\N{WORD JOINER}", "") == " ".join(raw.split())
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>#$:~|]", escaped)


@pytest.mark.parametrize(
    "sign",
    [":material/home:", ":streamlit:", "http://a.example", "HTTPS://a.example/b", "www.a.example", "me@a.org"],
)
def test_what_browsers_look_for_after_markdown_was_read_is_parted(sign):
    """An escape of Markdown's does not help: its sign is gone when they look."""
    read = re.sub(r"\\(.)", r"\1", text.literal(f"see {sign} ."))
    assert sign not in read
    assert read.replace("\N{WORD JOINER}", "") == f"see {sign} ."


# As Streamlit's Markdown has them: each is one character where it stands alone.
TYPOGRAPHY = re.compile(r"(?:^|(?<=[\s\ufeff]))(?:<->|->|<-|--|>=|<=|~=)(?=[\s\ufeff]|$)")


@given(
    st.lists(st.sampled_from(["<->", "->", "<-", "--", ">=", "<=", "~=", "a", " ", "\ufeff", "-", "<"])).map("".join)
)
def test_arrows_and_dashes_of_a_label_stay_the_signs_that_they_are(raw):
    read = re.sub(r"\\(.)", r"\1", text.literal(raw))
    assert not TYPOGRAPHY.search(read)
    assert read.replace("\N{WORD JOINER}", "") == " ".join(raw.split())
    assert not TYPOGRAPHY.search(re.sub(r"\\(.)", r"\1", text.message(raw)))


def test_nothing_else_is_parted():
    for plain in (
        "a->b",
        "<-x",
        "---",
        "=>",
        "a -",
        "< 3",
        "x--",
        "P@k",
        "/wide@box:0.5,1",
        "a: b",
        "11:30",
        "material/home",
        "awww.",
    ):
        assert "\N{WORD JOINER}" not in text.literal(plain)


def test_addresses_in_a_message_of_the_core_stay_links():
    assert "\N{WORD JOINER}" not in text.message("See https://a.example for it.")
    assert "\N{WORD JOINER}" in text.message("Expected a label, but label = ':material/home:'.")


@given(st.text())
def test_markup_leaves_no_tag_and_no_open_quote(raw):
    assert not set(text.markup(raw)) & set("<>\"'")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"])
def test_cells_that_a_spreadsheet_would_run_are_tamed(cell):
    written = csv_bytes(pd.DataFrame({"label": [cell], "n": [-1]})).decode()
    assert f"'{cell}" in written
    assert written.rstrip().endswith(",-1")


@given(st.lists(st.text(min_size=1), min_size=1))
def test_colors_do_not_depend_on_the_order_of_the_values(values):
    assert palette.colors_of("dataset", values) == palette.colors_of("dataset", reversed(values))


def test_a_modality_has_one_color_whatever_else_is_there():
    colors = {palette.colors_of("modality", others)["CT"] for others in (["CT"], ["CT", "XR"], ["PET", "CT"])}
    assert len(colors) == 1
    assert len(set(palette.colors_of("modality", palette.MODALITIES).values())) == len(palette.MODALITIES)


def test_eight_values_get_eight_colors():
    assert len(set(palette.colors_of("dataset", "abcdefgh").values())) == 8
    assert len(set(palette.colors_of("anatomy", ["chest", "brain", "x", "y", "z"]).values())) == 5


def test_agreement_is_symmetric_and_complete():
    assert gallery.agreement(["a"], ["a"]) == "same"
    assert gallery.agreement(["a", "b"], ["b", "a"]) == "same"
    assert gallery.agreement(["a", "b"], ["b"]) == gallery.agreement(["b"], ["a", "b"]) == "shared"
    assert gallery.agreement(["a"], ["b"]) == "other"
    assert gallery.agreement([], ["b"]) == gallery.agreement(["b"], [""]) == "unknown"


def _parsed(size: int):
    boundary = b"----x"
    body = b"--" + boundary + b'\r\nContent-Disposition: form-data; name="f"; filename="a.dcm"\r\n\r\n'
    body += b"0" * size + b"\r\n--" + boundary + b"--\r\n"

    async def stream():
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    headers = Headers({"content-type": "multipart/form-data; boundary=----x"})
    # In a thread of its own: that of the tests may have a running event loop, left by a browser test.
    with ThreadPoolExecutor(1) as pool:
        form = pool.submit(lambda: asyncio.run(MultiPartParser(headers, stream()).parse())).result()
    return form["f"].file


def test_an_upload_of_any_allowed_size_never_touches_the_disk(monkeypatch):
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1024 * 1024)
    with _parsed(3 * 1024 * 1024) as file:
        assert file._rolled, "the form parser no longer writes large uploads to disk: keep_uploads_in_memory can go"
    shell.keep_uploads_in_memory()
    with _parsed(50 * 1024 * 1024) as file:
        assert not file._rolled


def test_what_is_to_be_typed_stands_as_code_so_that_markdown_leaves_its_dashes_alone():
    shown = text.message("Expected <b>. Remove it first: python -m radcbir_core remove x, or choose another --name.")
    assert "`python -m radcbir_core remove x`" in shown
    assert shown.endswith("choose another `--name`\\.")
    assert "\\<b\\>" in shown
    assert text.message("Run: git checkout -- data/a_b").endswith("`git checkout -- data/a_b`")


def test_each_artifact_has_its_stage_of_a_build():
    assert list(stages.BUILD) == ["load", *ARTIFACT_NAMES]
    for artifact in ARTIFACTS:
        said = stages.line(Status(stage=artifact.name, done=1, total=4))
        assert ("1 of 4 images" in said) == artifact.counts_images
