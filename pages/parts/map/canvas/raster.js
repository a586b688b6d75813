// Points become pixels. Two ways: a density, where there are more points than room for signs, and signs.
//
// In a density every point counts. By category, a pixel has the color of one of its images, drawn by lot with rare
// categories weighted, and is the brighter the more there are; by number, it has the color of their mean.

import { BACK } from "./points.js"
import { drawSign } from "./signs.js"

const LEVELS = 24
/** In a density, pixels that are empty get a little of the color beside them, or lonely points could not be seen. */
const HALO = 0.45
/** Pixels that no point is in are transparent until they get their color; those that one is in are opaque. */
const EMPTY = 0
const FULL = 0xff000000
/** In the place of a sum: nothing with a number is here. */
const NONE = 0xffffffff
const BEHIND = 0xfffffffe
const STEP = 0x01000000
const MOST_WITH_SHAPES = 6_000
const MANY = 300_000

export class Raster {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas
    // The pixels are written by hand; a canvas on a graphics card would have to fetch them back.
    this.context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })
    this.width = 0
    this.height = 0
  }

  #resize(width, height) {
    if (this.width === width && this.height === height) return
    this.width = width
    this.height = height
    this.canvas.width = width
    this.canvas.height = height
    this.image = this.context.createImageData(width, height)
    this.pixels = new Uint32Array(this.image.data.buffer)
    this.best = new Uint32Array(width * height)
    this.counts = new Uint32Array(width * height)
  }

  /**
   * Draw the points that a view shows.
   *
   * @param {import("./points.js").Points} points
   * @param {import("./view.js").View} view
   * @param {object} paint - kind, mostSigns (more are drawn as a density), ground, dim (of what lies behind), and by
   *     code: colors, signs, order (the highest on top).
   * @param {{ratio: number, coarse: boolean}} how - Device pixels a CSS pixel; whether a quarter of many is enough.
   * @returns {{mode: string, drawn: number, diameter: number}} What was drawn; of a density, how many points.
   */
  draw(points, view, paint, { ratio, coarse }) {
    const about = points.about(view)
    const dense = about > paint.mostSigns
    // A density of so many points is as fine as the screen's own pixels, not its device's.
    const fine = dense && about > MANY ? 1 : ratio
    this.#resize(Math.max(1, Math.round(view.width * fine)), Math.max(1, Math.round(view.height * fine)))
    if (!dense) return this.#signs(points, view, paint, fine, about)
    const stride = coarse && about > MANY ? 4 : 1
    const drawn = paint.kind === "values" ? this.#means(points, view, fine, stride) : this.#lots(points, view, fine, stride)
    if (paint.kind === "values") this.#shadeMeans(paint, stride)
    else this.#shadeLots(paint, stride, drawn)
    this.context.putImageData(this.image, 0, 0)
    return { mode: stride > 1 ? "coarse" : "density", drawn: drawn * stride, diameter: 1 }
  }

  /** Runs of points, one for each row of cells that is seen: calls back with [from, to). */
  static runs(points, view, each) {
    const range = points.cells(view)
    if (!range) return
    for (let row = range[1]; row <= range[3]; row++)
      each(points.starts[(row << 8) + range[0]], points.starts[(row << 8) + range[2] + 1])
  }

  #lots(points, view, ratio, stride) {
    const { x, y, look } = points
    const { best, counts, width, height } = this
    best.fill(0)
    counts.fill(0)
    const scale = view.scale * ratio
    const left = (view.width / 2) * ratio - view.x * scale
    const top = (view.height / 2) * ratio + view.y * scale
    let drawn = 0
    let filled = 0
    Raster.runs(points, view, (from, to) => {
      for (let at = from + ((stride - (from % stride)) % stride); at < to; at += stride) {
        const one = look[at]
        if (one === 0) continue
        const px = x[at] * scale + left
        const py = top - y[at] * scale
        if (px < 0 || py < 0 || px >= width || py >= height) continue
        const pixel = (py | 0) * width + (px | 0)
        if (counts[pixel]++ === 0) filled++
        drawn++
        if (one > best[pixel]) best[pixel] = one
      }
    })
    this.filled = filled
    return drawn
  }

  #means(points, view, ratio, stride) {
    const { x, y, look } = points
    const { best, counts, width, height } = this
    best.fill(0)
    counts.fill(0)
    const scale = view.scale * ratio
    const left = (view.width / 2) * ratio - view.x * scale
    const top = (view.height / 2) * ratio + view.y * scale
    let drawn = 0
    Raster.runs(points, view, (from, to) => {
      for (let at = from + ((stride - (from % stride)) % stride); at < to; at += stride) {
        const one = look[at]
        if (one === 0) continue
        const px = x[at] * scale + left
        const py = top - y[at] * scale
        if (px < 0 || py < 0 || px >= width || py >= height) continue
        const pixel = (py | 0) * width + (px | 0)
        const code = one & 255
        drawn++
        // What lies behind, and what has no number, show only where nothing else does.
        if (one < BACK) {
          if (best[pixel] === 0) best[pixel] = BEHIND
        } else if (code === 255) {
          if (counts[pixel] === 0) best[pixel] = NONE
        } else {
          if (counts[pixel] === 0) best[pixel] = 0
          counts[pixel]++
          best[pixel] += code
        }
      }
    })
    return drawn
  }

  #shadeLots(paint, stride, drawn) {
    const { best, counts, pixels } = this
    const mean = (drawn * stride) / Math.max(this.filled, 1)
    const dimmest = 1 - 0.55 * Math.min(1, Math.max(0, (mean - 1) / 4))
    const shades = new Uint32Array(256 * LEVELS)
    for (let code = 0; code < 256; code++)
      for (let level = 0; level < LEVELS; level++) {
        const share = dimmest + ((1 - dimmest) * level) / (LEVELS - 1)
        shades[code * LEVELS + level] = packed(mixed(paint.ground, paint.colors[code], share))
      }
    const dim = packed(paint.dim)
    const bright = Math.log1p(6 * mean)
    const levels = new Uint8Array(1024)
    for (let count = 1; count < 1024; count++)
      levels[count] = Math.min(LEVELS - 1, Math.round(((LEVELS - 1) * Math.log1p(count * stride)) / bright))
    for (let at = 0; at < pixels.length; at++) {
      const count = counts[at]
      if (count === 0) pixels[at] = EMPTY
      else if (best[at] < BACK) pixels[at] = dim
      else pixels[at] = shades[(best[at] & 255) * LEVELS + levels[count < 1024 ? count : 1023]]
    }
    this.#halo(paint)
  }

  #shadeMeans(paint) {
    const { best, counts, pixels } = this
    const shades = new Uint32Array(256)
    for (let code = 0; code < 256; code++) shades[code] = packed(paint.colors[code])
    const dim = packed(paint.dim)
    for (let at = 0; at < pixels.length; at++) {
      const count = counts[at]
      if (count) pixels[at] = shades[(best[at] / count + 0.5) | 0]
      else pixels[at] = best[at] === NONE ? shades[255] : best[at] === BEHIND ? dim : EMPTY
    }
    this.#halo(paint)
  }

  /** The empty pixels: the ground, with a little of what is beside them. */
  #halo(paint) {
    const { pixels, width, height } = this
    const ground = packed(paint.ground)
    const [r, g, b] = paint.ground
    const below = (height - 1) * width
    for (let row = 0, at = 0; row < height; row++) {
      for (let column = 0; column < width; column++, at++) {
        if (pixels[at] >= FULL) continue
        let color = column > 0 ? pixels[at - 1] : EMPTY
        if (color < FULL && column + 1 < width) color = pixels[at + 1]
        if (color < FULL && at >= width) color = pixels[at - width]
        if (color < FULL && at < below) color = pixels[at + width]
        // One step less than opaque, so that what is beside it does not take it for filled.
        pixels[at] =
          color < FULL
            ? ground - STEP
            : (254 << 24) |
              ((b + (((color >> 16) & 255) - b) * HALO) << 16) |
              ((g + (((color >> 8) & 255) - g) * HALO) << 8) |
              (r + ((color & 255) - r) * HALO)
      }
    }
  }

  #signs(points, view, paint, ratio, about) {
    const { x, y, look } = points
    const { width, height, image } = this
    this.pixels.fill(packed(paint.ground))
    const diameter = Math.min(9, Math.max(3.4, 9.5 - 1.6 * Math.log10(Math.max(about, 1) / 100)))
    const shaped = about <= MOST_WITH_SHAPES
    const scale = view.scale * ratio
    const left = (view.width / 2) * ratio - view.x * scale
    const top = (view.height / 2) * ratio + view.y * scale
    const at = []
    const reach = diameter * ratio
    Raster.runs(points, view, (from, to) => {
      for (let one = from; one < to; one++) {
        if (look[one] === 0) continue
        const px = x[one] * scale + left
        const py = top - y[one] * scale
        if (px > -reach && py > -reach && px < width + reach && py < height + reach) at.push(one)
      }
    })
    const seen = at.length
    // Rare ones last, and so on top.
    const order = (one) => (look[one] < BACK ? -2 : paint.order[look[one] & 255])
    at.sort((one, other) => order(one) - order(other) || look[one] - look[other])
    const stamps = new Map()
    for (const one of at) {
      const code = look[one] < BACK ? -1 : look[one] & 255
      if (!stamps.has(code)) stamps.set(code, stamp(paint, code, diameter * ratio, shaped))
      blend(image.data, width, height, stamps.get(code), x[one] * scale + left, top - y[one] * scale)
    }
    this.context.putImageData(image, 0, 0)
    return { mode: shaped ? "shapes" : "signs", drawn: seen, diameter }
  }
}

/** A sign as color and opacity of its pixels, with a dark edge that keeps neighbors apart; -1 is what lies behind. */
function stamp(paint, code, diameter, shaped) {
  const size = Math.ceil(diameter) + 4
  const canvas = new OffscreenCanvas(size, size)
  const context = canvas.getContext("2d", { willReadFrequently: true })
  const [r, g, b] = code < 0 ? paint.dim : paint.colors[code]
  const sign = shaped && code >= 0 ? paint.signs[code] : "circle"
  context.globalAlpha = code < 0 ? 0.55 : 0.95
  drawSign(context, sign, size / 2, size / 2, diameter / 2, `rgb(${r},${g},${b})`, `rgb(${paint.ground.join(",")})`)
  return { size, data: context.getImageData(0, 0, size, size).data }
}

function blend(target, width, height, { size, data }, px, py) {
  const left = Math.round(px - size / 2)
  const top = Math.round(py - size / 2)
  for (let row = Math.max(0, -top); row < size && top + row < height; row++) {
    for (let column = Math.max(0, -left); column < size && left + column < width; column++) {
      const from = (row * size + column) * 4
      const opacity = data[from + 3]
      if (opacity === 0) continue
      const to = ((top + row) * width + left + column) * 4
      target[to] += ((data[from] - target[to]) * opacity) / 255
      target[to + 1] += ((data[from + 1] - target[to + 1]) * opacity) / 255
      target[to + 2] += ((data[from + 2] - target[to + 2]) * opacity) / 255
    }
  }
}

/** A color as the pixels of an image have it: red in the lowest byte. */
function packed([r, g, b]) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
}

function mixed(from, to, share) {
  return from.map((one, at) => Math.round(one + (to[at] - one) * share))
}
