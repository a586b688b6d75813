"""Sentences in the terminal: what is told of how they were read, and what the options change."""

from __future__ import annotations

import pytest

from radcbir_core.cli.querying.sentence_options import check_options
from radcbir_core.errors import QueryError
from radcbir_core.search.language import nonsense
from tests.core.cli.running import run


@pytest.fixture(autouse=True)
def small(small_text_data, mini, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    monkeypatch.setattr(nonsense, "CHANCE_KNOWN", 1.0)  # the encoder is a random one


def ask(capsys, text, *options):
    code, out, err = run(capsys, "query", "small", "--text", text, "-k", "3", *options)
    return code, out, " ".join(err.split())


def test_how_it_was_read_is_told(capsys) -> None:
    code, out, err = ask(capsys, "CXR with PTX, kein Erguss")
    assert code == 0
    assert "Read as: chest radiograph with pneumothorax, without effusion" in err
    assert "PTX is pneumothorax (abbreviation); --read PTX= leaves it." in err
    assert "Without effusion: left out are" in err
    assert "effusion" not in out


def test_a_choice_holds(capsys) -> None:
    assert "Read as" not in ask(capsys, "PTX", "--read", "PTX=")[2]
    assert "Read as: pulmonary embolism" in ask(capsys, "PE", "--read", "pe=pulmonary embolism")[2]
    assert "PE may mean pleural effusion or pericardial effusion or pulmonary embolism" in ask(capsys, "PE")[2]


def test_what_is_unknown_and_what_is_no_better_than_nonsense_is_told(capsys, monkeypatch) -> None:
    monkeypatch.setattr(nonsense, "CHANCE", 0.0)
    err = ask(capsys, "asdf pnuemothorax")[2]
    assert "asdf is not known." in err
    assert "pnuemothorax is not known. Was pneumothorax" in err
    assert "No better than nonsense." in err


def test_several_phrasings_tell_their_spread(capsys) -> None:
    assert (
        "Asked in 8 phrasings: their cosines" in ask(capsys, "chest radiograph with effusion", "--several-phrasings")[2]
    )


@pytest.mark.parametrize("options", [{"read": ["a=b"], "several": False}, {"read": [], "several": True}])
def test_options_of_a_sentence_need_one(options) -> None:
    with pytest.raises(QueryError, match="Expected --text with"):
        check_options(None, **options)
    check_options("chest", **options)


def test_a_choice_that_is_none_is_refused(capsys) -> None:
    code, _, err = ask(capsys, "PE", "--read", "PE")
    assert code != 0
    assert "Expected --read as WRITTEN=AS" in err
