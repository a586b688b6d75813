"""What is meant by a word on the command line."""

from __future__ import annotations

import pytest

from radcbir_core.cli.arguments import conditions_of, encoder_id_in, spec_in, words_of
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EncoderError, QueryError


class Built:
    """A collection of which only its encoders count here."""

    def __init__(self, *encoder_ids: str) -> None:
        self.name, self.built = "mine", list(encoder_ids)

    def encoder_ids(self) -> list[str]:
        return self.built


def test_an_encoder_may_be_left_out_where_there_is_one(small) -> None:
    assert encoder_id_in(Built("pixels"), None) == "pixels"
    assert encoder_id_in(Built("mine.v1", "pixels"), "mine.v1") == "mine.v1"
    assert encoder_id_in(Built(), "hf-hub:Org/Name") == "org--name", "a spec stands for its id"
    with pytest.raises(EncoderError, match=r"mine was built with 2 encoders\. It has a, b\."):
        encoder_id_in(Built("a", "b"), None)
    with pytest.raises(EncoderError, match=r"mine was built with 0 encoders\. Run: .* build mine --encoder pixels"):
        encoder_id_in(Built(), None)


def test_the_spec_that_an_encoder_was_built_with(small) -> None:
    collection = open_collection("small")
    assert spec_in(collection, "pixels") == "pixels"
    assert spec_in(collection, "local-dir:/x") == "local-dir:/x"


def test_words_and_conditions() -> None:
    assert words_of(None, default=("duplicate",)) == ("duplicate",)
    assert words_of(["patient, duplicate", "study,"], default=None) == ("patient", "duplicate", "study")
    assert words_of(["none"], default=("duplicate",)) == ()
    assert conditions_of(["b=1000=yes", "b=2"], ["b", "b=1000"]) == {"b=1000": ["yes"], "b": ["2"]}
    assert conditions_of(["modality=CT", " modality = MR", "note=a=b"]) == {"modality": ["CT", "MR"], "note": ["a=b"]}
    with pytest.raises(QueryError, match=r"Expected COLUMN=VALUE, but --where = 'modality'\. Write, for example, mod"):
        conditions_of(["modality"])
