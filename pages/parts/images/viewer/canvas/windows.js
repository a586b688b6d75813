// Which window each picture is shown through, and how it goes over to the next one.
//
// Owns the choices of a reader, one for each modality and scale: what was done to a CT holds for the other CTs, in HU, and
// for values without a unit in proportion to each picture's own window. It knows no page.

export class Windows {
  constructor() {
    this.chosen = new Map()
    this.inverted = new Set()
  }

  clear() {
    this.chosen.clear()
    this.inverted.clear()
  }

  key(picture, modality) {
    return `${modality}/${picture.scale}`
  }

  /** The window of a picture: what was chosen for its kind, else its own. */
  of(picture, modality) {
    const choice = this.chosen.get(this.key(picture, modality))
    const { own, automatic } = picture.head
    if (!choice) return picture.first
    if (choice.named === "own") return own
    if (choice.named === "automatic") return automatic ?? own
    if (choice.shift === undefined) return choice
    const { center, width } = picture.first
    const range = Math.max(width - 1, Number.MIN_VALUE)
    return { center: center + choice.shift * range, width: 1 + range * choice.factor, function: choice.function, source: "hand" }
  }

  /** Choose "own" or "automatic" for pictures of this kind. */
  name(picture, modality, named) {
    this.chosen.set(this.key(picture, modality), { named })
  }

  /** Choose a center and a width, in the values of this picture. */
  set(picture, modality, { center, width, source = "hand", name = "", function: shape = "linear" }) {
    const key = this.key(picture, modality)
    if (picture.head.unit) {
      this.chosen.set(key, { center, width, source, name, function: shape })
      return
    }
    const range = Math.max(picture.first.width - 1, Number.MIN_VALUE)
    this.chosen.set(key, {
      shift: (center - picture.first.center) / range,
      factor: (width - 1) / range,
      function: shape,
    })
  }

  isInverted(picture, modality) {
    return this.inverted.has(this.key(picture, modality))
  }

  invert(picture, modality) {
    const key = this.key(picture, modality)
    if (!this.inverted.delete(key)) this.inverted.add(key)
  }
}

/** The window after a drag by (x, y) pixels: right is wider, down is darker, both in proportion to the width. */
export function dragged(window, x, y) {
  const range = Math.max(window.width - 1, 1e-6)
  const factor = Math.exp(x / 250)
  return {
    center: window.center + (y / 400) * range,
    width: 1 + Math.max(range * factor, 1e-6),
    function: window.table || window.function === "table" ? "linear" : window.function,
  }
}

const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: false })

/** A window in words, as it is said in the picture's corner. */
export function words(window, unit) {
  const of = unit ? ` ${unit}` : ""
  const from = window.name || { header: "the file's", "voi lut": "the file's table", automatic: "automatic" }[window.source]
  const numbers = `C ${compact.format(window.center)} W ${compact.format(window.width)}${of}`
  return from ? `${numbers} (${from})` : window.source === "as stored" ? "as stored" : numbers
}
