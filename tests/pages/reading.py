"""Reading what a page shows, for tests."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def cards(at: AppTest) -> list[dict[str, Any]]:
    """What the galleries of a page show, card by card."""
    return [card for shown in components(at) for card in shown.get("cards", [])]


def pairs(at: AppTest) -> list[list[dict[str, Any]]]:
    """The pairs of a query and a hit that the galleries of a page show."""
    return [pair for shown in components(at) for pair in shown.get("pairs", [])]


def pictures(at: AppTest) -> list[dict[str, Any]]:
    """The images that stand alone: what they are (``description``) and their ``source``."""
    return [shown for shown in components(at) if "description" in shown]


def components(at: AppTest) -> list[dict[str, Any]]:
    """What the components of a page were given."""
    protos = [element.proto for element in at.get("bidi_component")]
    return [json.loads(proto.json or proto.mixed.json) for proto in protos]


def viewers(at: AppTest) -> list[dict[str, Any]]:
    """What the browser is told of each viewer."""
    return [shown for shown in components(at) if "items" in shown]


def charts(at: AppTest) -> list[dict[str, Any]]:
    """What the browser is told of each map."""
    return [shown for shown in components(at) if "points" in shown]


def chart(at: AppTest) -> dict[str, Any]:
    """What the browser is told of the one map."""
    (shown,) = charts(at)
    return shown


def html(at: AppTest) -> str:
    """All HTML of a page."""
    return "\n".join(element.proto.body for element in at.get("html"))


def words(at: AppTest) -> str:
    r"""All messages, captions, Markdown and code of a page, without the escapes of Markdown."""
    kinds = (at.error, at.warning, at.info, at.caption, at.markdown, at.code)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def complaints(at: AppTest) -> str:
    """What a page reports as wrong: errors and warnings; nothing may ever be a raw exception."""
    assert not at.exception, [element.message for element in at.exception]
    return "\n".join(element.value for kind in (at.error, at.warning) for element in kind).replace("\\", "")
