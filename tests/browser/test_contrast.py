"""Text is readable: its contrast is that of WCAG 2.2, level AA, on every page.

Source of formula and limits: WCAG 2.2, 1.4.3 and the definitions of contrast ratio and relative luminance.
"""

from __future__ import annotations

import pytest

from tests.browser.test_retrieve import quiet

pytestmark = pytest.mark.browser

TOO_FAINT = """() => {
  const parsed = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number)
    return numbers.length < 4 ? [...numbers.slice(0, 3), 1] : numbers
  }
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3]))
  const luminance = (color) => {
    const [red, green, blue] = color.map((part) => part / 255).map(
      (part) => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4
    )
    return .2126 * red + .7152 * green + .0722 * blue
  }
  const above = (element) => element.parentElement ||
    (element.getRootNode() instanceof ShadowRoot ? element.getRootNode().host : null)
  const faint = []
  let count = 0
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) look(element.shadowRoot)
      const words = [...element.childNodes].filter((node) => node.nodeType === 3)
      const text = words.map((node) => node.textContent).join("")
      const box = element.getBoundingClientRect()
      if (!text.trim() || !box.width || !box.height || ["STYLE", "SCRIPT"].includes(element.tagName)) continue
      const style = getComputedStyle(element)
      const grounds = []
      let opacity = 1
      let exempt = style.visibility === "hidden"
      let unusable = false
      for (let one = element; one; one = above(one)) {
        const its = getComputedStyle(one)
        const ground = parsed(its.backgroundColor)
        if (ground[3] > 0 && !grounds.some((known) => known[3] === 1)) grounds.push(ground)
        opacity *= Number(its.opacity)
        // What is there to be heard needs no contrast. Of what cannot be used WCAG asks for none; it has to be seen.
        if (its.clipPath !== "none") exempt = true
        if (one.disabled || one.getAttribute("aria-disabled") === "true") unusable = true
        if (one.querySelector(":scope > input[disabled]")) unusable = true
      }
      if (exempt) continue
      count += 1
      const ground = grounds.reverse().reduce((below, top) => over(top, below), [255, 255, 255])
      const svg = element instanceof SVGElement && style.fill !== "none"
      const ink = parsed(svg ? style.fill : style.color)
      ink[3] *= opacity
      const [light, dark] = [luminance(over(ink, ground)), luminance(ground)].sort((one, other) => other - one)
      const size = parseFloat(style.fontSize)
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
      const ratio = (light + .05) / (dark + .05)
      if (ratio < (unusable ? 2 : large ? 3 : 4.5)) faint.push(`${text.trim().slice(0, 40)}: ${ratio.toFixed(2)}`)
    }
  }
  look(document)
  return [faint, count]
}"""

PAGES = (
    "",
    "?tour=start",
    "retrieval?image=small-data-source%2Fchest_02.png&one=patient&k=40",
    "pathology",
    "failures",
    "map",
    "compare",
    "collections",
    "review",
)


def test_every_text_has_the_contrast_of_wcag_aa(server, page):
    for address in PAGES:
        page.goto(f"{server}/{address}")
        page.get_by_role("heading", level=2).first.wait_for()
        page.wait_for_function(f"() => ({TOO_FAINT})()[1] > 20")  # before that the page has nothing but its frame
        quiet(page)
        assert page.evaluate(TOO_FAINT)[0] == [], address
    page.evaluate("document.querySelector('h2').style.color = '#555'")
    assert len(page.evaluate(TOO_FAINT)[0]) == 1  # the measure sees what is faint
