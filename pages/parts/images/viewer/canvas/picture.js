// One image as it has travelled: its head, its stored values, and pixels painted from them.
//
// Owns the reading of a message of sent_values.py. The arithmetic is shades.js'.

import { Shader, meaning } from "./shades.js"

const TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
}
/** While a window moves, of larger pictures every second or third row and column is painted. */
const MOST_MOVING = 1_600_000
/** The same of pictures whose values have no table, and are computed one by one. */
const MOST_COMPUTED = 200_000

/** The head of a message and the bytes behind it. */
export function opened(buffer) {
  const length = new DataView(buffer).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
  return { head, values: new TYPES[head.dtype](buffer, 4 + length) }
}

export class Picture {
  constructor(buffer) {
    const { head, values } = opened(buffer)
    this.head = head
    this.bytes = buffer.byteLength
    this.shader = new Shader(head, values)
    this.values = values
    const [height, width] = head.shape
    const most = this.shader.places ? MOST_MOVING : MOST_COMPUTED
    this.coarse = Math.ceil(Math.sqrt((height * width) / most))
  }

  /** Of which scale its values are: a window goes over to other images of the same modality and scale alone. */
  get scale() {
    if (this.head.unit) return this.head.unit
    return this.shader.channels === 3 ? "color" : "relative"
  }

  /** The window where nobody has chosen one: the file's own, else over nearly all values. */
  get first() {
    return this.head.own.source === "full range" && this.head.automatic ? this.head.automatic : this.head.own
  }

  /** What the value at a place of the picture means; null outside. x and y run from 0 to 1. */
  valueAt(x, y) {
    const [height, width] = this.head.shape
    const column = Math.floor(x * width)
    const row = Math.floor(y * height)
    if (column < 0 || row < 0 || column >= width || row >= height) return null
    const place = row * width + column
    if (this.shader.channels === 3) return [0, 1, 2].map((channel) => this.values[3 * place + channel])
    return meaning(this.head, this.values[place])
  }

  /** Paint into a canvas of its own size, or of a part of its rows and columns where it must be quick. */
  paint(canvas, window, inverted, quick) {
    const step = quick ? this.coarse : 1
    const [height, width] = this.head.shape.map((side) => Math.ceil(side / step))
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width
      canvas.height = height
      canvas.pixels = null
    }
    const context = canvas.getContext("2d", { alpha: false })
    canvas.pixels ??= context.createImageData(width, height)
    this.shader.paint(new Uint32Array(canvas.pixels.data.buffer), window, inverted, step)
    context.putImageData(canvas.pixels, 0, 0)
  }
}
