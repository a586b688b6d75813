// What part of the map is seen, and how places on it become pixels.
//
// Places have three units: those of the projection (as in the page's address), steps (whole numbers from -32,768 to
// 32,767, as the points are sent), and CSS pixels of the canvas, from its upper left corner, y downwards.

import { turned } from "./space.js"

/** The largest magnification: one step is so many pixels. */
const MOST = 6
/** Pixels around what is shown. */
const EDGE = 14

export class View {
  /**
   * @param {{x: number, y: number, z?: number, step: number}} grid - The place of step 0 in all directions, and how far
   *     steps are apart; with z in three dimensions.
   */
  constructor(grid) {
    this.space = grid
    this.turnTo([0, 0])
    this.width = 1
    this.height = 1
    this.scale = 1 // pixels a step
    this.x = 0 // the step in the middle of the canvas
    this.y = 0
  }

  /** See it from a side: two angles in whole degrees. In two dimensions there is but one. */
  turnTo([about, over]) {
    const { x, y, z, step } = this.space
    about = Math.round(about)
    this.turn = [((((about + 180) % 360) + 360) % 360) - 180, Math.max(-90, Math.min(90, Math.round(over)))]
    const [right, up] = z === undefined ? [x, y] : turned([x, y, z], this.turn)
    this.grid = { x: right, y: up, step }
  }

  resize(width, height) {
    this.width = Math.max(1, width)
    this.height = Math.max(1, height)
  }

  /**
   * Show a box of steps, and as much around it as there is room for.
   *
   * @param {number[]} box - Left, bottom, right, top.
   * @param {{right?: number, top?: number, edge?: number}} free - Pixels that stay free at the edges, for what lies over
   *     the canvas, and all around.
   * @returns {number} How large it is: pixels a step.
   */
  fit([left, bottom, rightmost, highest], { right = 0, top = 0, edge = EDGE } = {}) {
    const across = Math.max(rightmost - left, 1)
    const up = Math.max(highest - bottom, 1)
    const width = Math.max(this.width - right - 2 * edge, 40)
    const height = Math.max(this.height - top - 2 * edge, 40)
    this.scale = Math.min(width / across, height / up, MOST)
    this.x = (left + rightmost) / 2 + right / 2 / this.scale
    this.y = (bottom + highest) / 2 + top / 2 / this.scale
    return this.scale
  }

  toPixel(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (this.y - y) * this.scale + this.height / 2]
  }

  toStep(px, py) {
    return [(px - this.width / 2) / this.scale + this.x, this.y - (py - this.height / 2) / this.scale]
  }

  /** Of a place as it is seen, or of one in three dimensions. */
  stepOf(place) {
    const [x, y] = place.length > 2 ? turned(place, this.turn) : place
    return [(x - this.grid.x) / this.grid.step, (y - this.grid.y) / this.grid.step]
  }

  placeOf([x, y]) {
    return [x * this.grid.step + this.grid.x, y * this.grid.step + this.grid.y]
  }

  /** Move by whole device pixels, so that a pixel goes on showing the same images. */
  pan(dx, dy, ratio = 1) {
    this.x -= Math.round(dx * ratio) / ratio / this.scale
    this.y += Math.round(dy * ratio) / ratio / this.scale
  }

  /** Magnify by a factor; what is below a pixel stays there. */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = this.toStep(px, py)
    const least = Math.min(this.width, this.height) / 65536 / 4
    this.scale = Math.min(Math.max(this.scale * factor, least), MOST)
    const [nowX, nowY] = this.toStep(px, py)
    this.x += x - nowX
    this.y += y - nowY
  }
}
