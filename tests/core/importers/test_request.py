"""What an import is asked for."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.errors import ManifestError
from radcbir_core.importers.request import OPTIONS, ImportRequest

GIVEN = {
    "leave_out": ("*_old.png",),
    "masks": True,
    "suffix": ".png",
    "no_header": True,
    "image_root": Path("x"),
    "check": "bytes",
    "modality": "CT",
    "anatomy": "chest",
    "mapping": {"path": "file"},
    "every": 2,
    "uncertain": "positive",
    "download": "breastmnist",
    "encoder_id": "e",
    "server": "https://pacs.example/dicom-web",
    "wanted": Wanted(studies=("1.2.3",)),
}


def test_options_are_attributes_of_a_request() -> None:
    assert set(GIVEN) == OPTIONS
    assert {item.name for item in fields(ImportRequest)} > OPTIONS


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_each_option_is_refused_unless_it_is_understood(name) -> None:
    request = ImportRequest([], "c", **{name: GIVEN[name]})
    request.refuse_unused("x", frozenset({name}))
    ImportRequest([], "c").refuse_unused("x", frozenset())
    with pytest.raises(ManifestError) as caught:
        request.refuse_unused("x", frozenset())
    assert str(caught.value) == (
        f"Expected only options that the format x understands (it has none), but {name} is given. "
        "Leave it out, or choose another format."
    )


def test_a_salt_is_new_for_each_import_and_never_shown() -> None:
    first, second = ImportRequest([], "c"), ImportRequest([], "c")
    assert first.salt != second.salt
    assert len(first.salt) == 32
    assert "salt" not in repr(first)
