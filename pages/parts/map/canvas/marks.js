// What lies over the points: outlines of the selection, the query and lines to its hits, what the pointer is at.

import { fromText } from "./outlines.js"
import { turned } from "./space.js"

export class Marks {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas
    this.context = canvas.getContext("2d")
  }

  /**
   * Draw all of it.
   *
   * @param {import("./view.js").View} view
   * @param {object} what - texts (of the selection), turn (in three dimensions), dims (whether what is not selected is dimmed), trail (of the outline being drawn: kind, places, takesAway), query,
   *     pointed (a step, or null), aimed (whether the middle is marked), theme.
   */
  draw(view, what, ratio) {
    const { canvas, context } = this
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)]
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width
      canvas.height = height
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, view.width, view.height)
    const outlines = what.texts.map(fromText).filter(Boolean)
    if (outlines.length && what.dims) this.#dim(view, outlines, what.theme)
    for (const { corners, takesAway } of outlines) {
      this.#trace(view, corners)
      this.#line(what.theme, takesAway ? [2, 4] : [])
    }
    if (what.trail) this.#trail(view, what.trail, what.theme)
    if (what.query) this.#query(view, what.query, what.theme)
    if (what.pointed) this.#ring(...view.toPixel(...what.pointed), 7, what.theme)
    if (what.aimed) this.#aim(view, what.theme)
    if (what.turn) this.#axes(view, what.turn, what.theme)
  }

  /** From which side a map of three dimensions is seen: its axes, at the lower right. */
  #axes(view, turn, theme) {
    const { context } = this
    const [x, y] = [view.width - 34, view.height - 34]
    context.font = "600 11px 'Source Sans', sans-serif"
    context.textAlign = "center"
    context.textBaseline = "middle"
    for (const [name, axis] of [["x", [1, 0, 0]], ["y", [0, 1, 0]], ["z", [0, 0, 1]]]) {
      const [right, up] = turned(axis, turn)
      context.beginPath()
      context.moveTo(x, y)
      context.lineTo(x + 18 * right, y - 18 * up)
      this.#line(theme, [])
      context.fillStyle = theme.text
      if (Math.hypot(right, up) > 0.25) context.fillText(name, x + 26 * right, y - 26 * up)
    }
  }

  #trace(view, corners) {
    this.context.beginPath()
    corners.forEach((place, at) => this.context[at ? "lineTo" : "moveTo"](...view.toPixel(...view.stepOf(place))))
    this.context.closePath()
  }

  #dim(view, outlines, theme) {
    const { context } = this
    const shade = `rgba(${theme.ground.join(",")},0.62)`
    // What is not selected is dimmed: all, then less what an outline adds, then again what one takes away.
    context.fillStyle = shade
    if (!outlines[0].takesAway) context.fillRect(0, 0, view.width, view.height)
    for (const { corners, takesAway } of outlines) {
      this.#trace(view, corners)
      context.globalCompositeOperation = "destination-out"
      context.fillStyle = "#000"
      context.fill("evenodd")
      context.globalCompositeOperation = "source-over"
      if (takesAway) {
        context.fillStyle = shade
        context.fill("evenodd")
      }
    }
  }

  #line(theme, dash) {
    const { context } = this
    context.setLineDash([])
    context.lineWidth = 3.5
    context.strokeStyle = `rgba(${theme.ground.join(",")},0.8)`
    context.stroke()
    context.setLineDash(dash)
    context.lineWidth = 1.5
    context.strokeStyle = theme.text
    context.stroke()
    context.setLineDash([])
  }

  #trail(view, { kind, places, takesAway }, theme) {
    if (places.length < 2) return
    let corners = places
    if (kind === "box") {
      const [[x0, y0], [x1, y1]] = [places[0], places[places.length - 1]]
      corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    }
    this.#trace(view, corners)
    this.context.fillStyle = takesAway ? "rgba(232,116,59,0.14)" : "rgba(79,179,217,0.14)"
    this.context.fill("evenodd")
    this.#line(theme, takesAway ? [2, 4] : [5, 4])
  }

  #query(view, query, theme) {
    const { context } = this
    const from = view.toPixel(...view.stepOf(query.place))
    // Far ones first, so that the best hits lie on top.
    for (const { rank, place } of [...query.hits].reverse()) {
      const to = view.toPixel(...view.stepOf(place))
      context.beginPath()
      context.moveTo(...from)
      context.lineTo(...to)
      context.lineWidth = 3
      context.strokeStyle = `rgba(${theme.ground.join(",")},0.7)`
      context.stroke()
      context.lineWidth = 1.2
      context.strokeStyle = theme.text
      context.stroke()
      this.#rank(to, rank, theme)
    }
    this.#ring(...from, 11, theme, query.placed ? [5, 3.5] : [])
    if (query.said) this.#said(from, query.said, view, theme)
  }

  #rank([x, y], rank, theme) {
    const { context } = this
    context.font = "600 11px 'Source Sans', sans-serif"
    context.textAlign = "center"
    context.textBaseline = "middle"
    const half = context.measureText(rank).width / 2 + 4
    context.beginPath()
    context.roundRect(x - half, y - 8, 2 * half, 16, 8)
    context.fillStyle = `rgb(${theme.ground.join(",")})`
    context.fill()
    context.lineWidth = 1
    context.strokeStyle = theme.text
    context.stroke()
    context.fillStyle = theme.text
    context.fillText(rank, x, y + 0.5)
  }

  #ring(x, y, radius, theme, dash = []) {
    const { context } = this
    for (const [color, width, dashes] of [[`rgb(${theme.ground.join(",")})`, 6, []], ["#FFFFFF", 2.5, dash]]) {
      context.beginPath()
      context.arc(x, y, radius, 0, 2 * Math.PI)
      context.setLineDash(dashes)
      context.lineWidth = width
      context.strokeStyle = color
      context.stroke()
    }
    context.setLineDash([])
  }

  /** How far the place of the query can be trusted, beside its ring; on the side that has room. */
  #said([x, y], text, view, theme) {
    const { context } = this
    context.font = "600 12px 'Source Sans', sans-serif"
    const width = context.measureText(text).width + 12
    const left = x + 17 + width > view.width ? x - 17 - width : x + 17
    context.beginPath()
    context.roundRect(left, y - 10, width, 20, 4)
    context.fillStyle = `rgba(${theme.ground.join(",")},0.86)`
    context.fill()
    context.textAlign = "left"
    context.textBaseline = "middle"
    context.fillStyle = "#FFFFFF"
    context.fillText(text, left + 6, y + 0.5)
  }

  /** Where the keys look: the middle of the map. */
  #aim(view, theme) {
    const { context } = this
    const [x, y] = [view.width / 2, view.height / 2]
    context.beginPath()
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * 10, y + dy * 10)
      context.lineTo(x + dx * 20, y + dy * 20)
    }
    this.#line(theme, [])
  }
}
