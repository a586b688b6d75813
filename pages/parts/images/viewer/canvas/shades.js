// From stored values to shades: the arithmetic of radcbir_core/images/display/grayscale.py, on one value and on tables.
//
// Owns what a window makes of a value (DICOM PS3.3 C.11.1, C.11.2). It knows neither canvas nor page, so that node runs
// it in the tests. An image is described by the head that sent_values.py writes.

/** To the nearest whole number, halves to the even one, as NumPy rounds. */
function rounded(value) {
  const down = Math.floor(value)
  const rest = value - down
  if (rest !== 0.5) return Math.round(value)
  return down % 2 === 0 ? down : down + 1
}

function lookedUp(table, value) {
  const place = rounded(value) - table.first
  return table.entries[Math.min(Math.max(place, 0), table.entries.length - 1)]
}

/** What a stored value means, in the unit of the head. */
export function meaning(head, stored) {
  const { modality } = head
  if (modality.entries) return Number.isNaN(stored) ? NaN : lookedUp(modality, stored)
  return stored * modality.slope + modality.intercept
}

/** Shade, 0 to 255, of a value that means something. */
export function shade(value, window) {
  let brightness
  if (window.table) {
    brightness = lookedUp(window.table, value) / (2 ** window.table.bits - 1)
  } else if (window.function === "sigmoid") {
    brightness = 1 / (1 + Math.exp((-4 * (value - window.center)) / window.width))
  } else if (window.function === "linear exact") {
    brightness = (value - window.center) / window.width + 0.5
  } else if (window.width === 1) {
    brightness = value > window.center - 0.5 ? 1 : 0
  } else {
    brightness = (value - (window.center - 0.5)) / (window.width - 1) + 0.5
  }
  if (!(brightness > 0)) return 0 // also what is no number
  return Math.floor(Math.min(brightness, 1) * 255 + 0.5)
}

function isPadding(head, stored) {
  return head.padding !== null && stored >= head.padding[0] && stored <= head.padding[1]
}

/** The shade of a stored value: meaning, window, inversion; padding is black. */
export function shadeOfStored(head, stored, window, inverted) {
  if (isPadding(head, stored)) return 0
  const found = shade(meaning(head, stored), window)
  return inverted !== head.inverted ? 255 - found : found
}

const TABLED = { uint8: 8, int8: 8, uint16: 16, int16: 16 }

/**
 * Paints values as pixels. Values of up to 16 bits go through a table of all their levels, which a new window fills
 * anew, and deeper ones are computed one by one.
 */
export class Shader {
  constructor(head, values) {
    this.head = head
    this.channels = head.shape[2] ?? 1
    this.values = values
    const bits = TABLED[head.dtype]
    if (!bits) return
    // The bit pattern of a value is its place in the table.
    this.places =
      bits === 8
        ? new Uint8Array(values.buffer, values.byteOffset, values.length)
        : new Uint16Array(values.buffer, values.byteOffset, values.length)
    this.mask = bits === 8 ? 0xff : 0xffff
    this.table = new Uint32Array(this.mask + 1)
  }

  /** Fill `pixels` (a Uint32Array over RGBA) with every value, or with every `step`-th of each row and column. */
  paint(pixels, window, inverted, step = 1) {
    if (this.places) this.#fillTable(window, inverted)
    const [height, width] = this.head.shape
    let at = 0
    for (let row = 0; row < height; row += step) {
      const start = row * width
      at = this.channels === 3
        ? this.#color(pixels, at, start, start + width, step, window, inverted)
        : this.#gray(pixels, at, start, start + width, step, window, inverted)
    }
  }

  #fillTable(window, inverted) {
    const { head, table, mask } = this
    const isPlain = !head.modality.entries && !window.table && (window.function ?? "linear") === "linear" && window.width > 1
    if (!isPlain) {
      for (let stored = head.low; stored <= head.high; stored++) {
        table[stored & mask] = shadeOfStored(head, stored, window, inverted)
      }
      return
    }
    // The same steps as in `shade`, without a call a value: this runs with every movement of the pointer.
    const { slope, intercept } = head.modality
    const low = window.center - 0.5
    const range = window.width - 1
    const turned = inverted !== head.inverted
    for (let stored = head.low; stored <= head.high; stored++) {
      const brightness = (stored * slope + intercept - low) / range + 0.5
      const found = brightness > 0 ? Math.floor(Math.min(brightness, 1) * 255 + 0.5) : 0
      table[stored & mask] = turned ? 255 - found : found
    }
    if (head.padding !== null) {
      const end = Math.min(head.high, head.padding[1])
      for (let stored = Math.max(head.low, head.padding[0]); stored <= end; stored++) table[stored & mask] = 0
    }
  }

  #gray(pixels, at, start, end, step, window, inverted) {
    const { places, table, values, head } = this
    if (places) {
      for (let place = start; place < end; place += step) pixels[at++] = 0xff000000 | (table[places[place]] * 0x010101)
    } else {
      for (let place = start; place < end; place += step) {
        pixels[at++] = 0xff000000 | (shadeOfStored(head, values[place], window, inverted) * 0x010101)
      }
    }
    return at
  }

  #color(pixels, at, start, end, step, window, inverted) {
    const { places, table, values, head } = this
    const of = places
      ? (place) => table[places[place]]
      : (place) => shadeOfStored(head, values[place], window, inverted)
    for (let place = 3 * start; place < 3 * end; place += 3 * step) {
      pixels[at++] = 0xff000000 | (of(place + 2) << 16) | (of(place + 1) << 8) | of(place)
    }
    return at
  }
}
