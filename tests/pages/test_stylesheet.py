"""One stylesheet, one palette: nothing is styled anywhere else, and nothing is styled that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pages.parts.frame.stylesheet
from pages.parts.frame import palette
from tests.conftest import REPOSITORY

SHEET = Path(pages.parts.frame.stylesheet.__file__).with_name("style.css").read_text(encoding="utf-8")
SOURCES = [REPOSITORY / "app.py", *(REPOSITORY / "pages").rglob("*.py"), *(REPOSITORY / "pages").rglob("*.html")]


def test_no_page_has_a_style_of_its_own() -> None:
    holders = [path.name for path in SOURCES if "<style" in path.read_text(encoding="utf-8")]
    assert holders == ["stylesheet.py"]


def test_every_color_is_the_palettes() -> None:
    assert set(re.findall(r"#[0-9A-Fa-f]{3,8}\b", SHEET)) <= {"#000"}
    assert set(re.findall(r"var\(--radcbir-([a-z-]+)\)", SHEET)) == set(palette.STYLESHEET)


def test_every_class_is_used_somewhere() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    for name in set(re.findall(r"\.(?:st-key-)?(radcbir-[a-z-]+)", SHEET)):
        assert name in code, name


def test_streamlits_own_theme_has_the_same_colors() -> None:
    theme = (REPOSITORY / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    assert f'backgroundColor = "{palette.GROUND}"' in theme
    assert f'textColor = "{palette.TEXT}"' in theme
    assert f'borderColor = "{palette.LINES}"' in theme
    assert f'primaryColor = "{palette.ACCENT}"' in theme


def test_what_moves_stands_still_where_less_motion_is_asked_for() -> None:
    for path in (REPOSITORY / "pages").rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"\b(transition|animation):", text):
            assert "prefers-reduced-motion" in text, path
