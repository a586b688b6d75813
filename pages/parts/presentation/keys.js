// The keys of a presentation, also those that presenters' remotes send: they press the buttons that are there.
//
// Owns which key presses which button. Where somebody writes, only the keys that no text needs are taken.

const BUTTONS = { ArrowRight: "next", PageDown: "next", ArrowLeft: "back", PageUp: "back", Escape: "leave" }
const OF_TEXT = new Set(["ArrowRight", "ArrowLeft"])

let heard = null

function forget() {
  if (heard) document.removeEventListener("keydown", heard)
  heard = null
}

export default function () {
  forget()
  heard = (event) => {
    const name = BUTTONS[event.key]
    if (!name || event.repeat || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    const writes = event.target instanceof Element && event.target.matches("input, textarea, select, [contenteditable]")
    if (writes && OF_TEXT.has(event.key)) return
    if (writes && event.key === "Escape") return event.target.blur()
    const button = document.querySelector(`.st-key-radcbir-slide-${name} button`)
    if (!button || button.disabled) return
    event.preventDefault()
    button.click()
  }
  document.addEventListener("keydown", heard)
  return forget
}
