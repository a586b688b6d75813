// One side of the viewer: a picture under its own view, with what is said of it around.
//
// Owns the elements of a side and how a picture is drawn: turned, flipped, zoomed, true to the shape of its pixels, with
// what the encoder saw laid over, and the region that was found framed. What a person does is viewer.js'. Texts are set as
// text, never as markup.

const OVERLAY = "#F0C05A"

export function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined && text !== null) made.textContent = text
  return made
}

export class Side {
  constructor(name) {
    this.root = element("section", "side")
    this.title = element("h4")
    this.place = element("p", "found")
    this.place.hidden = true
    this.lines = element("div")
    this.agreement = element("p", "agreement")
    const header = element("header")
    header.setAttribute("aria-live", "polite")
    header.append(this.title, this.place, this.lines, this.agreement)
    this.stage = element("div", "stage")
    this.stage.tabIndex = 0
    this.stage.side = this // for who looks at it from outside
    this.stage.setAttribute("role", "group")
    this.canvas = element("canvas")
    this.window = element("span", "reading")
    this.value = element("span", "value")
    const over = element("div", "over")
    over.append(this.window, this.value)
    this.slices = element("div", "slices")
    this.slider = element("input")
    this.slider.type = "range"
    this.slider.min = "1"
    this.output = element("output")
    this.slices.append(this.slider, this.output)
    this.slices.hidden = true
    this.trouble = element("div", "trouble")
    this.trouble.hidden = true
    this.stage.append(this.canvas, over, this.trouble, this.slices)
    this.seen = element("p", "seen")
    this.seen.hidden = true
    this.remarks = element("p", "remarks")
    this.details = element("details")
    this.details.append(element("summary", "", "All that is known of it"), element("table", "radcbir-facts"))
    const below = element("div", "below")
    below.append(this.seen, this.remarks, this.details)
    this.root.append(header, this.stage, below)
    this.name = name
    this.painted = element("canvas")
    this.picture = null
    this.facts = null
    this.saw = null
    this.straighten()
  }

  straighten() {
    this.quarter = 0
    this.mirrored = false
    this.overturned = false
    this.view = { zoom: 1, x: 0, y: 0 }
  }

  // --- Words ---

  /** What is said of the image: facts as viewer_facts.py tells them; `said` is its rank and the like, `found` where in it. */
  tell(facts, said, found = "") {
    this.facts = facts
    this.title.replaceChildren(element("span", "", [this.name, said].filter(Boolean).join(", ")))
    if (facts.head) this.title.append(" ", element("b", "", facts.head))
    this.place.textContent = found ? `\u25a2 ${found}` : ""
    this.place.hidden = !found
    const lines = (facts.lines ?? []).filter(Boolean).map((line) => element("p", "", line))
    this.lines.replaceChildren(...lines)
    // Of the query, and of what lies around it, nothing is said against itself.
    const compared = this.isQuery ? [] : (facts.agreement ?? [])
    this.agreement.replaceChildren(...compared.map((one) => {
      const line = element("span", "", `${one.sign} ${one.name}: ${one.words}`)
      line.style.color = one.color
      return line
    }))
    const rows = (facts.facts ?? []).filter(([, value]) => value).map(([name, value]) => {
      const row = element("tr")
      row.append(element("th", "", name), element("td", "", value))
      return row
    })
    this.details.querySelector("table").replaceChildren(...rows)
    this.details.hidden = !rows.length
    this.stage.setAttribute("aria-label", [this.name, said, found, facts.head].filter(Boolean).join(", "))
    this.root.dataset.imageId = facts.image_id ?? ""
  }

  /** What stands in the place of a picture that is not to be had: a sentence, and the thumbnail if there is one. */
  fail(text, thumbnail) {
    this.picture = null
    this.remarks.textContent = ""
    this.trouble.replaceChildren(element("p", "", text))
    if (thumbnail) {
      const image = element("img")
      image.alt = "Its thumbnail"
      image.src = thumbnail
      image.onerror = () => image.remove()
      this.trouble.prepend(image)
    }
    this.trouble.hidden = false
    this.slices.hidden = true
    this.window.textContent = ""
    this.value.textContent = ""
    this.#clear()
  }

  take(picture) {
    this.picture = picture
    this.remarks.textContent = picture.head.remarks.join(" ")
    this.trouble.hidden = true
  }

  // --- Drawing ---

  #clear() {
    const context = this.canvas.getContext("2d", { alpha: false })
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.fillStyle = "#000"
    context.fillRect(0, 0, this.canvas.width, this.canvas.height)
    return context
  }

  /** Width and height of the stage in CSS pixels. */
  get room() {
    return [this.stage.clientWidth || 1, this.stage.clientHeight || 1]
  }

  /** CSS pixels for each pixel of the picture at zoom 1: the whole picture fits. */
  get fit() {
    const [height, width] = this.picture.head.size
    const [w, h] = this.quarter % 2 ? [height, width] : [width, height]
    const [roomWide, roomHigh] = this.room
    return Math.min(roomWide / w, roomHigh / h)
  }

  /** From the picture's pixels, counted where these are square, to CSS pixels of the stage. */
  get matrix() {
    const [height, width] = this.picture.head.size
    const [roomWide, roomHigh] = this.room
    const scale = this.fit * this.view.zoom
    return new DOMMatrix()
      .translate(roomWide / 2 + this.view.x * roomWide, roomHigh / 2 + this.view.y * roomHigh)
      .scale(this.mirrored ? -1 : 1, this.overturned ? -1 : 1)
      .rotate(90 * this.quarter)
      .scale(scale)
      .translate(-width / 2, -height / 2)
  }

  /** The window's values become pixels: of a part of them where it must be quick. */
  paint(window, inverted, quick) {
    if (this.picture) this.picture.paint(this.painted, window, inverted, quick)
  }

  draw(quick) {
    const ratio = globalThis.devicePixelRatio || 1
    const [wide, high] = this.room.map((side) => Math.round(side * ratio))
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide
      this.canvas.height = high
    }
    const context = this.#clear()
    if (!this.picture) return
    const [height, width] = this.picture.head.size
    const matrix = new DOMMatrix().scale(ratio).multiply(this.matrix)
    context.setTransform(matrix)
    const scale = this.fit * this.view.zoom * ratio * (width / this.painted.width)
    // Who zooms in far enough sees single pixels as such; else they run into each other, as they would in print.
    context.imageSmoothingEnabled = scale < 6 || this.view.zoom < 3
    context.imageSmoothingQuality = quick ? "low" : "high"
    context.drawImage(this.painted, 0, 0, width, height)
    if (this.saw) this.#drawSeen(context, ratio, width, height)
    if (this.found) this.#drawFound(context, ratio, width, height)
  }

  /** The region of it that was found, in thousandths of its sides; null where there is none, and on other slices. */
  get found() {
    return (this.stack && this.stack.at !== this.stack.own) || !this.own?.box?.length ? null : this.own.box
  }

  #drawFound(context, ratio, width, height) {
    const [left, top, right, bottom] = this.found
    const box = [(left * width) / 1000, (top * height) / 1000, ((right - left) * width) / 1000, ((bottom - top) * height) / 1000]
    const thin = 1 / (this.fit * this.view.zoom * ratio)
    context.strokeStyle = "#000"
    context.lineWidth = 4 * thin
    context.strokeRect(...box)
    context.strokeStyle = OVERLAY
    context.lineWidth = 2 * thin
    context.setLineDash([10, 4].map((dash) => dash * thin * ratio))
    context.strokeRect(...box)
    context.setLineDash([])
  }

  /** Dim what the encoder did not see, and show what it saw as it saw it. */
  #drawSeen(context, ratio, width, height) {
    const { head, canvas } = this.saw
    const [top, left, bottom, right] = head.box
    context.fillStyle = "rgba(0, 0, 0, .55)"
    context.fillRect(0, 0, width, height)
    context.imageSmoothingEnabled = false
    context.drawImage(canvas, left, top, right - left, bottom - top)
    context.strokeStyle = OVERLAY
    context.lineWidth = 2 / (this.fit * this.view.zoom * ratio)
    context.setLineDash([6, 4].map((dash) => dash * context.lineWidth))
    context.strokeRect(left, top, right - left, bottom - top)
    context.setLineDash([])
  }

  /** The value under a point of the stage, in words; "" outside of the picture. */
  valueAt(x, y) {
    if (!this.picture) return ""
    const [height, width] = this.picture.head.size
    const place = this.matrix.inverse().transformPoint(new DOMPoint(x, y))
    const value = this.picture.valueAt(place.x / width, place.y / height)
    if (value === null) return ""
    const text = (Array.isArray(value) ? value : [value]).map((one) => Number(one.toPrecision(6))).join(", ")
    return this.picture.head.unit ? `${text} ${this.picture.head.unit}` : text
  }
}
