// The points of a map of three dimensions: turned into the plane of the screen, as the points of any other map.
//
// A view is two angles in whole degrees: about the axis that points up, then about the one that points right. The server
// turns places in the same way (pages/parts/images/turning.py), so that an outline selects what it holds in its view.

import { Points } from "./points.js"

const LARGEST = 32767

/** What turns [x, y, z] into [right, up] of the screen. */
export function turning([about, over]) {
  const [sa, ca] = [Math.sin((about * Math.PI) / 180), Math.cos((about * Math.PI) / 180)]
  const [so, co] = [Math.sin((over * Math.PI) / 180), Math.cos((over * Math.PI) / 180)]
  return [[ca, 0, sa], [so * sa, co, -so * ca]]
}

export function turned([x, y, z], turn) {
  return turning(turn).map(([a, b, c]) => a * x + b * y + c * z)
}

export class Space {
  /** @param {ArrayBuffer} buffer - All x, then all y, then all z, as int16 with the lowest byte first. */
  constructor(buffer) {
    this.count = buffer.byteLength / 6
    this.x = new Int16Array(buffer, 0, this.count)
    this.y = new Int16Array(buffer, 2 * this.count, this.count)
    this.z = new Int16Array(buffer, 4 * this.count, this.count)
  }

  /**
   * The points as they are seen from a side.
   *
   * @param {number[]} turn - The two angles.
   * @param {number} every - Of so many points one is taken: they lie in the order of their cells, so that each part of
   *     the map keeps its share.
   */
  seen(turn, every = 1) {
    const [right, up] = turning(turn)
    const [ax, , cx] = right
    const [ay, by, cy] = up
    const count = Math.ceil(this.count / every)
    const [px, py] = [new Int16Array(count), new Int16Array(count)]
    const cells = new Uint16Array(count)
    const starts = new Uint32Array(65537)
    for (let at = 0, from = 0; at < count; at++, from += every) {
      const [x, y, z] = [this.x[from], this.y[from], this.z[from]]
      px[at] = within(ax * x + cx * z)
      py[at] = within(ay * x + by * y + cy * z)
      cells[at] = (((py[at] + 32768) >> 8) << 8) + ((px[at] + 32768) >> 8)
      starts[cells[at] + 1]++
    }
    for (let cell = 0; cell < 65536; cell++) starts[cell + 1] += starts[cell]
    const next = starts.slice(0, 65536)
    const buffer = new ArrayBuffer(4 * count)
    const [x, y] = [new Int16Array(buffer, 0, count), new Int16Array(buffer, 2 * count, count)]
    const order = new Uint32Array(count)
    for (let at = 0; at < count; at++) {
      const to = next[cells[at]]++
      x[to] = px[at]
      y[to] = py[at]
      order[to] = at * every
    }
    return new Points(buffer, order)
  }
}

function within(step) {
  return Math.max(-LARGEST, Math.min(LARGEST, Math.round(step)))
}
