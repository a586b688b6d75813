"""What mends an error, as the command to type."""

from __future__ import annotations

from typer.main import get_command

from radcbir_core.cli import app, remedies
from radcbir_core.errors import FOLDER, QueryError, Remedy


def test_an_option_is_the_commands_own() -> None:
    flags = {
        flag for command in get_command(app).commands.values() for option in command.params for flag in option.opts
    }
    for argument in ("image_root", "mapping", "encoder_id", "take_changes", "add", "format", "from", "to", "device"):
        assert remedies.option_of(argument) in flags, argument


def test_the_program_is_called_as_it_was_run(monkeypatch) -> None:
    remedy = Remedy("relocate", "mine", {"image_root": FOLDER})
    assert remedies.advice(remedy) == "Run: python -m radcbir_core relocate mine --image-root FOLDER"
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/radcbir", "query"])
    assert remedies.advice(remedy) == "Run: radcbir relocate mine --image-root FOLDER"
    assert remedies.in_full(QueryError("Expected it, but no.", remedy=remedy)).startswith("Expected it, but no. Run: ")
    assert remedies.in_full(QueryError("Expected it, but no.")) == "Expected it, but no."


def test_what_is_filled_in_is_quoted_where_it_must_be() -> None:
    words = remedies.advice(Remedy("build", "mine", {"encoder": "local-dir:/a b"}))
    assert words == "Run: python -m radcbir_core build mine --encoder 'local-dir:/a b'"


def test_a_switch_has_no_value_and_more_options_are_added() -> None:
    remedy = Remedy("again", options={"take_changes": True, "mapping": "path=COLUMN"})
    assert remedies.advice(remedy) == "Add: --take-changes --map path=COLUMN"
    assert remedies.advice(None) == ""
