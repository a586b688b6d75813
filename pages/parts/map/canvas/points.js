// The points: where they are, how each looks, which is nearest. Owns the typed arrays; drawing is raster.js's.
//
// The server sends the points sorted into 256 x 256 cells, row by row, so that those of a part of the map lie together.

/** How a point looks is one number: its rank for its pixel in the upper 24 bits, its code in the lower 8; 0 is none. */
const NO_NUMBER = 255
const TABLE = 1 << 16
/** Looks below this are of points that lie behind all others. */
export const BACK = 2 ** 30

/** -log(-log(u)) for u from 0 to 1, by which the largest of several ranks is a fair draw (Gumbel, 1954). */
const GUMBEL = new Float32Array(TABLE)
for (let at = 0; at < TABLE; at++) GUMBEL[at] = -Math.log(-Math.log((at + 0.5) / TABLE))

export class Points {
  /**
   * @param {ArrayBuffer} buffer - All x, then all y, as int16 with the lowest byte first.
   * @param {Uint32Array | null} order - The position that each point has for the server, and for codes and masks, where
   *     it is another than the one here.
   */
  constructor(buffer, order = null) {
    const count = buffer.byteLength / 4
    this.order = order
    this.count = count
    this.x = new Int16Array(buffer, 0, count)
    this.y = new Int16Array(buffer, 2 * count, count)
    this.starts = new Uint32Array(65537)
    const { x, y, starts } = this
    for (let at = 0; at < count; at++) starts[(((y[at] + 32768) >> 8) << 8) + ((x[at] + 32768) >> 8) + 1]++
    for (let cell = 0; cell < 65536; cell++) starts[cell + 1] += starts[cell]
    this.look = new Uint32Array(count)
    this.perCell = new Uint32Array(65536)
    this.shown = 0
  }

  /** The position that the server knows a point by. */
  positionOf(at) {
    return this.order ? this.order[at] : at
  }

  /**
   * Decide how each point looks.
   *
   * @param {Uint8Array} codes - Of each point.
   * @param {Uint8Array | null} mask - A bit a point, the highest of a byte first: whether it passes the filter.
   * @param {Float64Array | null} weights - By code, above 0: how much more often than by its share a category gets a
   *     pixel; null where codes are numbers.
   * @param {Uint8Array} back - By code: whether its points lie behind all others.
   * @param {Uint8Array | null} chosen - A bit a point, as in `mask`: those without lie behind all others too.
   */
  dress(codes, mask, weights, back, chosen = null) {
    const { count, look, order, perCell, starts } = this
    const base = new Float32Array(256)
    for (let code = 0; code < 256; code++) {
      const weight = weights ? Math.log(weights[code]) : code === NO_NUMBER ? -100 : 0
      base[code] = back[code] ? -Infinity : Math.max(weight, -14) + 8
    }
    let shown = 0
    for (let at = 0; at < count; at++) {
      const position = order ? order[at] : at
      if (mask && !((mask[position >> 3] >> (7 - (position & 7))) & 1)) {
        look[at] = 0
        continue
      }
      const code = codes[position]
      const lot = GUMBEL[(Math.imul(position + 1, 2654435761) >>> 16) & 65535]
      const isChosen = !chosen || (chosen[position >> 3] >> (7 - (position & 7))) & 1
      const behind = !isChosen || base[code] === -Infinity
      // Ranks from -32 to 32 become 24 bits; what lies behind has those up to -16.
      const rank = behind ? Math.min(lot - 28, -16.5) : Math.min(base[code] + lot, 31.9)
      look[at] = (((rank + 32) * 262144) << 8) | code
      shown++
    }
    this.shown = shown
    for (let cell = 0; cell < 65536; cell++) {
      let here = 0
      for (let at = starts[cell]; at < starts[cell + 1]; at++) if (look[at]) here++
      perCell[cell] = here
    }
  }

  /** What holds all points but those further out, in steps: [left, bottom, right, top]. */
  bounds(furthest) {
    const { x, y, count } = this
    const box = [furthest, furthest, -furthest, -furthest]
    for (let at = 0; at < count; at++) {
      if (x[at] < box[0]) box[0] = x[at]
      if (y[at] < box[1]) box[1] = y[at]
      if (x[at] > box[2]) box[2] = x[at]
      if (y[at] > box[3]) box[3] = y[at]
    }
    return box.map((step) => Math.max(-furthest, Math.min(furthest, step)))
  }

  /** The cells that a view shows: [left, bottom, right, top], inclusive; null where it shows none. */
  cells(view) {
    const [x0, y1] = view.toStep(0, 0)
    const [x1, y0] = view.toStep(view.width, view.height)
    return cellsOf(x0, y0, x1, y1)
  }

  /** About how many points a view shows: those of its cells. */
  about(view) {
    const range = this.cells(view)
    if (!range) return 0
    let sum = 0
    for (let row = range[1]; row <= range[3]; row++)
      for (let cell = (row << 8) + range[0]; cell <= (row << 8) + range[2]; cell++) sum += this.perCell[cell]
    return sum
  }

  /** How many points a view shows. */
  within(view) {
    const [x0, y1] = view.toStep(0, 0)
    const [x1, y0] = view.toStep(view.width, view.height)
    return this.inBox(x0, y0, x1, y1)
  }

  /** How many points lie in a box of steps. */
  inBox(x0, y0, x1, y1) {
    const range = cellsOf(x0, y0, x1, y1)
    if (!range) return 0
    let sum = 0
    for (let row = range[1]; row <= range[3]; row++) {
      for (let column = range[0]; column <= range[2]; column++) {
        const cell = (row << 8) + column
        if (column > range[0] && column < range[2] && row > range[1] && row < range[3]) {
          sum += this.perCell[cell]
          continue
        }
        for (let at = this.starts[cell]; at < this.starts[cell + 1]; at++) {
          const x = this.x[at]
          const y = this.y[at]
          if (this.look[at] && x >= x0 && x < x1 && y > y0 && y <= y1) sum++
        }
      }
    }
    return sum
  }

  /**
   * The point under a pixel: of the nearest ones the one that is drawn on top, so that what is seen is what is named.
   *
   * @param {number} reach - How many pixels away it may be. What lies behind is not asked for.
   * @returns {number} Its position, or -1.
   */
  nearest(view, px, py, reach) {
    const [x, y] = view.toStep(px, py)
    const far = reach / view.scale
    const found = []
    let least = far * far
    for (let row = cellOf(y - far); row <= cellOf(y + far); row++) {
      const to = this.starts[(row << 8) + cellOf(x + far) + 1]
      for (let at = this.starts[(row << 8) + cellOf(x - far)]; at < to; at++) {
        const dx = this.x[at] - x
        const dy = this.y[at] - y
        const square = dx * dx + dy * dy
        const look = this.look[at]
        if (square > far * far || look < BACK) continue
        if (square < least) least = square
        found.push(at)
      }
    }
    const near = (Math.sqrt(least) + 1 / view.scale) ** 2
    let best = -1
    for (const at of found) {
      const square = (this.x[at] - x) ** 2 + (this.y[at] - y) ** 2
      if (square <= near && (best < 0 || this.look[at] > this.look[best])) best = at
    }
    return best
  }
}

/** The column, or row, of the cells that a step lies in, or nearest to. */
function cellOf(step) {
  return Math.min(Math.max((step + 32768) >> 8, 0), 255)
}

function cellsOf(x0, y0, x1, y1) {
  if (x1 < -32768 || x0 > 32767 || y1 < -32768 || y0 > 32767) return null
  return [cellOf(x0), cellOf(y0), cellOf(x1), cellOf(y1)]
}
