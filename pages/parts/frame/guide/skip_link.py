"""A link for who has no mouse, the first thing on a page: it leads past all controls to what the page is there for.

Owns how the focus moves. It is seen only while it has the focus.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

TARGETS: Final = {"Retrieval": ("Skip to the hits", "st-key-radcbir-hits-and-facets")}
"""Of a page: what the link says, and the class of the container whose first button or link gets the focus."""


def draw(page: str) -> None:
    """Draw it, where the page has one.

    Args:
        page: Its title, as in the sidebar.
    """
    if page in TARGETS:
        said, container = TARGETS[page]
        with st.container(key="radcbir-skip"):
            _component(key=f"radcbir:skip:{page}", data={"said": said, "container": container})


_component = st.components.v2.component(
    "radcbir.skip",
    html='<button type="button" class="skip"></button>',
    css="""
.skip { font: inherit; font-weight: 600; padding: .4rem .9rem; border-radius: 6px;
  border: 2px solid var(--st-primary-color); background: var(--st-background-color); color: var(--st-text-color); }
.skip:focus { pointer-events: auto; }
.skip:not(:focus) { clip-path: inset(50%); }
""",
    js="""export default function ({ parentElement, data }) {
  const button = parentElement.querySelector(".skip")
  button.textContent = data.said
  // What can have the focus, in what is drawn by Streamlit and inside the frames of components.
  const first = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.matches("button:not([disabled]), a[href]")) return element
      const inside = element.shadowRoot && first(element.shadowRoot)
      if (inside) return inside
    }
    return null
  }
  button.onclick = () => {
    const container = document.getElementsByClassName(data.container)[0]
    const target = container && first(container)
    if (!target) return
    target.focus()
    target.scrollIntoView({ block: "nearest" })
  }
}
""",
)
