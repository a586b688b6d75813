"""Column mappings: what is asked for, what becomes of a row, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.mapping import Mapper, as_list, as_text, names_in, naming, parse_mapping


def mapper(columns: str, mapping: dict[str, str] | None = None, **defaults: str) -> Mapper:
    return Mapper(mapping or {}, columns=columns.split(), origin=Path("t.csv"), defaults=defaults)


def test_words_of_a_mapping() -> None:
    assert parse_mapping(["view = b"]) == {"view": "b"}
    for words, message in (
        (["path"], "Expected COLUMN=SOURCE"),
        (["paht=x"], "Did you mean path"),
        (["path=a", "path=b"], "the mapping names path twice"),
        (["sha256=x"], "Expected a column of a manifest"),
    ):
        with pytest.raises(ManifestError, match=message):
            parse_mapping(words)


def test_columns_are_found_in_any_case_and_further_ones_are_kept() -> None:
    mapped = mapper("File Path Age SHA256", {"path": "FILE", "caption": "Age"})
    assert mapped.columns == ["path", "caption", "file", "age"]
    row = mapped.row({"File": "1.png", "Path": "not this one", "Age": 40.0, "SHA256": "computed, not taken"})
    assert row == {"file": "1.png", "path": "1.png", "age": "40", "caption": "40"}


def test_a_column_of_the_exact_name_goes_before_one_in_another_case() -> None:
    assert mapper("file File", {"path": "file"}).row({"file": "a", "File": "b"})["path"] == "a"


def test_defaults_fill_what_is_empty_and_nothing_else() -> None:
    mapped = mapper("path modality", modality="CT", anatomy="chest", view="")
    assert mapped.columns == ["modality", "anatomy", "path"]
    assert mapped.row({"path": "1", "modality": "MR"})["modality"] == "MR"
    assert mapped.row({"path": "1", "modality": ""}) == {"path": "1", "modality": "CT", "anatomy": "chest"}


@pytest.mark.parametrize("yes", ["1", 1, 1.0, True, "TRUE", " yes ", "x", "Positive"])
@pytest.mark.parametrize("no", ["0", 0, 0.0, False, "", None, float("nan"), "No", "negative"])
def test_one_hot_columns(yes, no) -> None:
    mapped = mapper("path Mass Edema pathology", {"pathologies": "Edema,mass"})
    row = mapped.row({"path": "1", "Mass": yes, "Edema": no, "pathology": "overruled by the mapping"})
    assert row["pathologies"] == ["Mass"], "named as the table spells it"
    assert "pathology" not in row


def test_a_single_column_of_findings_is_a_list() -> None:
    assert mapper("path f", {"pathologies": "f"}).row({"path": "1", "f": "a|b"})["pathologies"] == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "mapping", "message"),
    [
        ("file age", {}, "Expected a column with the image files, but t.csv has the columns file, age. Say which"),
        ("path Mass", {"pathologies": "Mas"}, "the mapping names 'Mas'. Did you mean Mass?"),
        ("path Mass", {"pathologies": "zzz"}, "the mapping names 'zzz'. It has path, Mass."),
        ("path Mass", {"view": "path,Mass"}, "but mapping = 'view=path,Mass'. Only pathologies takes several"),
    ],
)
def test_columns_that_are_not_there(columns, mapping, message) -> None:
    with pytest.raises(ManifestError) as caught:
        mapper(columns, mapping)
    assert message in str(caught.value)


def test_a_one_hot_cell_that_is_neither() -> None:
    mapped = mapper("path Mass Edema", {"pathologies": "Mass,Edema"})
    with pytest.raises(ManifestError, match=r"Expected 0, 1, -1 or nothing in .* findings, but t\.csv has Mass = '7'"):
        mapped.row({"path": "1", "Mass": "7", "Edema": "0"})


def test_numbers_as_text() -> None:
    assert as_text(1e15) == "1000000000000000.0", "beyond what a float counts exactly, its own spelling"
    assert as_text(float("inf")) == "inf"
    assert as_text([1.0, None]) == "1|"


def test_text_that_only_looks_like_a_list() -> None:
    assert as_list("[sic]") == ["[sic]"]
    assert as_list("[" * 2000 + "]" * 2000) == ["[" * 2000 + "]" * 2000]
    assert as_list("[__import__('os')]") == ["[__import__('os')]"], "nothing in a cell is run"


@given(
    st.lists(
        st.text(st.characters(exclude_characters="|", exclude_categories=["C"]), min_size=1).filter(
            lambda t: not t.startswith("[") and t == t.strip()
        )
    )
)
def test_a_list_survives_its_text(words) -> None:
    assert as_list("|".join(words)) == words
    assert as_list(list(words)) == words
    assert as_list(repr(words)) == words


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ('"Mass, left",Edema', ["Mass, left", "Edema"]),
        ('Edema, "Mass, left"', ["Mass, left", "Edema"]),
        ("Edema", ["Edema"]),
    ],
)
def test_a_column_with_a_comma_in_its_name_is_quoted(text, findings) -> None:
    mapping = parse_mapping(["path=file, or so", f"pathologies={text}"])
    mapper = Mapper(mapping, columns=["file, or so", "Mass, left", "Edema"], origin=Path("t.csv"))
    if mapper.single:
        mapper.take_as_one_hot()
    row = mapper.row({"file, or so": "1.png", "Mass, left": "1", "Edema": "1"})
    assert (row["path"], sorted(row["pathologies"])) == ("1.png", sorted(findings))


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"])).filter(str.strip), min_size=1, max_size=4))
def test_names_survive_being_written_as_one_text(names) -> None:
    assert names_in(naming(names)) == names
