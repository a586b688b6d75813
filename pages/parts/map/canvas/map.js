// The map of pages/parts/map/canvas_chart.py: draws every point, and says what people select.
//
// Owns what a person does: pointer, wheel, keys, buttons. Points, drawing, legend and outlines have modules of their
// own. Everything that comes from a collection is set as text, never as markup.

import { Legend, brief, element } from "./legend.js"
import { Marks } from "./marks.js"
import { ofMap, seenFrom, simplified, toText, turnIn } from "./outlines.js"
import { Points } from "./points.js"
import { Raster } from "./raster.js"
import { Space } from "./space.js"
import { View } from "./view.js"

/** How far a pointer may move, in pixels, and still be a click. */
const CLICK = 4
/** How far from a point the pointer may be to mean it. */
const REACH = 12
const CARD_AFTER = 40
/** What is fetched by address: places, colors, the filter, and what is selected where the outlines do not say it. */
const FETCHED = ["points", "codes", "mask", "chosen"]
const REST_AFTER = 130
/** Of at most so many points a part is drawn while they are turned: more would be no longer fluent. */
const MOST_TURNING = 60_000
/** Degrees for each pixel that the pointer moves, and for each key. */
const DEGREES = 0.4
const DEGREES_A_KEY = 6
const MOST_TEXTS = 20
/** The share of the points that may lie below the legend. */
const HIDDEN = 0.004

/** What was fetched, by address: an address names its content. The last few, in the order of use. */
const fetched = new Map()
const MOST_FETCHED = 12
/** Where each map was left, by the address of its points; it outlives the page's switch to another. */
const leftAt = new Map()
const charts = new WeakMap()

async function bytesOf(address) {
  const kept = fetched.get(address)
  fetched.delete(address)
  // The page began to fetch what the first map draws while this code was loading.
  const begun = globalThis[Symbol.for("radcbir.map")]?.get(address)
  globalThis[Symbol.for("radcbir.map")]?.delete(address)
  const promise =
    kept ??
    (begun ?? fetch(address, { credentials: "same-origin" })).then((answer) => {
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
      return answer.arrayBuffer()
    })
  fetched.set(address, promise)
  while (fetched.size > MOST_FETCHED) fetched.delete(fetched.keys().next().value)
  try {
    return await promise
  } catch (error) {
    fetched.delete(address)
    throw error
  }
}

/** Called by Streamlit at each run of the page: makes the map, or gives it what has changed. */
export function mount(component) {
  const { parentElement } = component
  let chart = charts.get(parentElement)
  if (!chart) {
    chart = new Chart(parentElement.querySelector(".map"))
    charts.set(parentElement, chart)
  }
  chart.take(component.data, component.setStateValue)
  return () => setTimeout(() => chart.root.isConnected || chart.end(), 0)
}

class Chart {
  constructor(root) {
    this.root = root
    this.area = root.querySelector(".area")
    this.card = root.querySelector(".card")
    this.status = root.querySelector(".status")
    this.hint = root.querySelector(".hint")
    this.raster = new Raster(root.querySelector(".points"))
    this.marks = new Marks(root.querySelector(".marks"))
    this.legend = new Legend(
      root.querySelector(".legend"),
      (only) => {
        this.only = only
        this.#dress()
        if (!this.data.second) this.#tell()
      },
      () => this.#dress(),
    )
    this.tool = "lasso"
    this.texts = []
    this.only = []
    this.serial = -1
    this.told = -1
    this.pointers = new Map()
    this.pointed = -1
    this.dressed = {}
    this.#listen()
    this.observer = new ResizeObserver(() => this.#resized())
    this.observer.observe(this.area)
  }

  end() {
    this.observer.disconnect()
    clearTimeout(this.resting)
    clearTimeout(this.asking)
    cancelAnimationFrame(this.frame)
  }

  // --- What the page says ---

  take(data, setStateValue) {
    this.setStateValue = setStateValue
    const before = this.data
    this.data = data
    this.#useTheme(data.theme)
    this.root.toggleAttribute("data-paired", data.paired)
    this.root.toggleAttribute("data-query", Boolean(data.query))
    // An older answer does not undo what was drawn meanwhile.
    if (data.serial >= this.serial) {
      this.serial = data.serial
      this.texts = data.select
      // What the second map shows alone is its own affair.
      if (!data.second) this.only = data.only
    }
    const same = before && FETCHED.every((name) => before[name] === data[name])
    if (same && JSON.stringify(before.colors) === JSON.stringify(data.colors)) {
      this.legend.setOnly(this.only)
      this.#dress()
      return
    }
    this.#load(data)
  }

  async #load(data) {
    this.root.dataset.state = "loading"
    this.root.setAttribute("aria-busy", "true")
    try {
      const [places, codes, mask, chosen] = await Promise.all(
        FETCHED.map((name) => data[name] && bytesOf(absolute(data[name]))),
      )
      if (FETCHED.some((name) => data[name] !== this.data[name])) return
      if (this.loaded !== data.points) {
        this.loaded = data.points
        this.view = leftAt.get(data.points) ?? null
        if (!this.view) {
          this.view = new View(data.grid)
          this.view.untouched = true
          if (data.turns) this.#turnToOutline()
          leftAt.set(data.points, this.view)
        }
        this.space = data.turns ? new Space(places) : null
        this.points = this.space ? null : new Points(places)
        this.pointed = -1
        this.root.toggleAttribute("data-turns", Boolean(data.turns))
        delete this.root.dataset.turn
        if (!data.turns && this.tool === "turn") this.#use("lasso")
      }
      this.codes = new Uint8Array(codes)
      this.mask = mask ? new Uint8Array(mask) : null
      this.chosen = chosen ? new Uint8Array(chosen) : null
      this.counts = this.#countCodes()
      this.legend.set(this.data.colors, this.only, this.counts, this.theme)
      this.dressed = {}
      this.#dress()
      this.#resized()
      this.root.dataset.state = "ready"
      this.hint.hidden = true
    } catch (error) {
      this.root.dataset.state = "failed"
      this.hint.textContent = `The map could not be loaded: ${error.message}. Reload the page.`
      this.hint.hidden = false
    }
    this.root.removeAttribute("aria-busy")
  }

  #useTheme(theme) {
    const numbers = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))
    this.theme = { ...theme, ground: numbers(theme.ground), dim: numbers(theme.dim) }
  }

  #countCodes() {
    const counts = new Array(256).fill(0)
    const { codes, mask } = this
    for (let at = 0; at < codes.length; at++) if (!mask || (mask[at >> 3] >> (7 - (at & 7))) & 1) counts[codes[at]]++
    return counts
  }

  /** Decide how the points look, where that has changed. */
  #dress() {
    if (!this.codes) return
    const { colors } = this.data
    const { legend, theme } = this
    const numbers = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))
    const paint = {
      kind: colors.kind,
      mostSigns: this.data.mostSigns,
      ground: theme.ground,
      dim: theme.dim,
      colors: new Array(256).fill(numbers(theme.none)),
      signs: new Array(256).fill("circle"),
      order: new Array(256).fill(0),
    }
    const back = new Uint8Array(256)
    let weights = null
    if (colors.kind === "values") {
      colors.shades.forEach((hex, code) => {
        paint.colors[code] = numbers(hex)
        paint.order[code] = 1
      })
    } else {
      weights = new Float64Array(256).fill(1)
      // What is folded is one category.
      const folded = colors.legend.reduce((sum, entry, code) => sum + (legend.isFolded(code) ? entry.count : 0), 0)
      colors.legend.forEach((entry, code) => {
        const count = legend.isFolded(code) ? folded : entry.count
        weights[code] = 1 / Math.sqrt(Math.max(count, 1))
        back[code] = legend.isShown(code) ? 0 : 1
        paint.colors[code] = numbers(legend.colorOf(code))
        paint.signs[code] = legend.signOf(code)
        // Below: what is no category, then the frequent; the rarest lie on top.
        paint.order[code] = entry.known ? 1 / Math.max(count, 1) : -1
      })
    }
    const key = [...FETCHED.map((name) => this.data[name]), back.join(""), ...legend.called].join(" ")
    if (this.dressed.key !== key) {
      this.look = [this.codes, this.mask, weights, back, this.chosen]
      if (this.space) this.points = null
      else this.points.dress(...this.look)
    }
    this.dressed = { key }
    this.paint = paint
    this.#seen()
    this.#show()
  }

  /** The points from the side that is looked at, where that has changed; of many a part as long as they are turned. */
  #seen() {
    if (!this.space) return
    const every = this.turning ? Math.ceil(this.space.count / MOST_TURNING) : 1
    const from = [...this.view.turn, every].join()
    if (this.points && this.points.from === from) return
    this.#point(-1)
    this.points = this.space.seen(this.view.turn, every)
    this.points.from = from
    this.points.dress(...this.look)
  }

  /** An outline that the page's address has is seen from the side from which it was drawn. */
  #turnToOutline() {
    for (const text of this.texts) {
      const turn = turnIn(ofMap(text)[0], this.data.turns)
      if (turn) this.view.turnTo(turn)
    }
  }

  /** The name of the map as it is seen. */
  get #map() {
    const { map, turns } = this.data
    return turns && this.view ? seenFrom(turns, this.view.turn, map) : map
  }

  #turn(about, over) {
    const begins = !this.turning
    this.turning = true
    if (begins && this.view.untouched) this.#home()
    const turn = this.drag?.turn ?? [...this.view.turn]
    turn[0] += about
    turn[1] = Math.max(-90, Math.min(90, turn[1] + over))
    this.view.turnTo(turn)
    this.#show({ moving: true })
  }

  /** Tell the page what is selected and which categories are shown alone. */
  #tell() {
    this.serial += 1
    this.setStateValue("selection", { texts: this.texts, only: this.only, serial: this.serial })
  }

  // --- Drawing ---

  #resized() {
    const { width, height } = this.area.getBoundingClientRect()
    if (!this.view || width < 2 || height < 2) return
    this.view.resize(width, height)
    if (this.view.untouched) this.#home()
    this.#show()
  }

  /** Show the main part, or everything; beside the legend where too much would lie below it. */
  #home() {
    const legend = this.legend.root.getBoundingClientRect()
    const area = this.area.getBoundingClientRect()
    const most = this.view.all ? this.data.all : this.data.home
    // In three dimensions that is so large that all of it is seen from any side; until it is turned, this side counts.
    const box = this.space && !this.turning ? this.points.bounds(most[2]) : most
    this.view.fit(box)
    const [left, top] = this.view.toStep(legend.left - area.left, legend.top - area.top)
    const [right, bottom] = this.view.toStep(legend.right - area.left, legend.bottom - area.top)
    const hidden = this.points.inBox(left, bottom, right, top)
    if (hidden <= HIDDEN * this.points.shown) return
    this.#fitBesideLegend(box)
  }

  /** Show a box beside the legend or below it, wherever it becomes larger. */
  #fitBesideLegend(box, free = {}) {
    const { width, height } = this.legend.root.getBoundingClientRect()
    const beside = this.view.fit(box, { ...free, right: width + 8 })
    if (this.view.fit(box, { ...free, top: height + 8 }) < beside) this.view.fit(box, { ...free, right: width + 8 })
  }

  /** Draw at the next frame: coarse while things move, all of it once they rest. */
  #show({ moving = false } = {}) {
    clearTimeout(this.resting)
    this.coarse = moving
    if (!moving) this.turning = false
    if (moving) this.resting = setTimeout(() => this.#show(), REST_AFTER)
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#draw())
  }

  #draw() {
    this.frame = 0
    if (!this.paint) return
    const begun = performance.now()
    this.#seen()
    const ratio = window.devicePixelRatio || 1
    const drawn = this.raster.draw(this.points, this.view, this.paint, { ratio, coarse: this.coarse })
    this.#drawMarks()
    const took = performance.now() - begun
    this.root.dataset.mode = drawn.mode
    this.root.dataset.took = took.toFixed(1)
    if (this.turning && this.points.count < this.space.count) this.#describeTurning()
    else if (!this.coarse) this.#describe(drawn)
  }

  #drawMarks() {
    const { pointed, points, data } = this
    const map = this.#map
    const step = pointed >= 0 ? [points.x[pointed], points.y[pointed]] : null
    const texts = this.texts.map(ofMap).filter(([on]) => on === map).map(([, text]) => text)
    const turn = this.space ? this.view.turn : null
    const what = { texts, turn, dims: !data.paired && !data.chosen, trail: this.trail, query: data.query, pointed: step, aimed: this.aimed }
    this.marks.draw(this.view, { ...what, theme: this.theme }, window.devicePixelRatio || 1)
  }

  #describeTurning() {
    const number = (value) => value.toLocaleString("en")
    this.status.textContent = `${number(this.points.count)} of ${number(this.space.count)} while it turns`
  }

  #describe({ mode }) {
    const seen = this.points.within(this.view)
    const all = this.points.shown
    const how = {
      density: this.paint.kind === "values" ? "a pixel is the mean of its images" : "density",
      signs: "a dot an image",
      shapes: this.paint.kind === "values" ? "a dot an image" : "a sign an image",
    }[mode]
    this.root.dataset.shown = all
    if (this.space) this.root.dataset.turn = this.view.turn.join()
    this.root.dataset.seen = seen
    const number = (value) => value.toLocaleString("en")
    this.status.textContent = `${seen === all ? number(all) : `${number(seen)} of ${number(all)}`} in view · ${how ?? ""}`
  }

  // --- What a person does ---

  #listen() {
    const { area, root } = this
    for (const button of root.querySelectorAll(".tools button")) {
      button.onclick = () => {
        const { tool, act } = button.dataset
        if (tool) this.#use(tool)
        else if (this.view) this.#act(act)
      }
    }
    area.addEventListener("pointerdown", (event) => this.#down(event))
    area.addEventListener("pointermove", (event) => this.#move(event))
    area.addEventListener("pointerup", (event) => this.#up(event))
    area.addEventListener("pointercancel", (event) => this.#cancel(event))
    area.addEventListener("pointerleave", () => this.#point(-1))
    area.addEventListener("wheel", (event) => this.#wheel(event), { passive: false })
    area.addEventListener("keydown", (event) => this.#key(event))
    area.addEventListener("focus", () => area.classList.add("active"))
    area.addEventListener("blur", () => {
      this.aimed = false
      area.classList.remove("active")
      if (this.view && this.paint) this.#drawMarks()
    })
    this.#use(this.tool)
  }

  #use(tool) {
    this.tool = tool
    this.area.dataset.tool = tool
    for (const button of this.root.querySelectorAll("[data-tool]"))
      if (button !== this.area) button.setAttribute("aria-pressed", String(button.dataset.tool === tool))
  }

  #act(act) {
    if (act === "in" || act === "out") this.#zoom(act === "in" ? 1.6 : 1 / 1.6)
    else if (act === "query") this.#toQuery()
    else this.#reset()
  }

  /** Show the main part; where that is shown already, everything. */
  #reset() {
    this.view.all = this.view.untouched ? !this.view.all : false
    this.view.untouched = true
    this.#home()
    this.#show()
  }

  /** Show the query and its hits, and little else. */
  #toQuery() {
    const { query } = this.data
    const steps = [query.place, ...query.hits.map((hit) => hit.place)].map((place) => this.view.stepOf(place))
    const [x, y] = [0, 1].map((axis) => steps.map((step) => step[axis]))
    this.view.untouched = false
    this.#fitBesideLegend([Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)], { edge: 40 })
    this.#show()
  }

  #zoom(factor, x, y) {
    this.view.untouched = false
    this.view.zoom(factor, x, y)
    this.#show({ moving: true })
  }

  #pan(dx, dy) {
    this.view.untouched = false
    this.view.pan(dx, dy, window.devicePixelRatio || 1)
    this.#show({ moving: true })
  }

  #at(event) {
    const { left, top } = this.area.getBoundingClientRect()
    return [event.clientX - left, event.clientY - top]
  }

  #down(event) {
    if (!this.paint || (event.button !== 0 && event.button !== 1)) return
    const wasActive = this.area.classList.contains("active")
    this.area.focus({ preventScroll: true })
    this.aimed = false
    // A finger on a map that nobody uses scrolls the page; a tap makes it the map's.
    if (event.pointerType === "touch" && !wasActive) {
      this.tapped = this.#at(event)
      return
    }
    if (event.button === 1) event.preventDefault()
    this.area.setPointerCapture(event.pointerId)
    this.pointers.set(event.pointerId, this.#at(event))
    this.#point(-1)
    if (this.pointers.size > 1) {
      this.trail = null
      this.drag = null
      this.#drawMarks()
      return
    }
    const at = this.#at(event)
    const panning = this.tool === "pan" || event.button === 1
    const turning = this.space && !panning && (this.tool === "turn" || event.ctrlKey || event.metaKey)
    this.drag = { from: at, last: at, panning, turn: turning ? [...this.view.turn] : null, moved: false }
    if (!panning && !turning) {
      const places = [this.view.placeOf(this.view.toStep(...at))]
      this.trail = { kind: this.tool, places, takesAway: event.altKey }
    }
  }

  #move(event) {
    if (!this.paint) return
    const at = this.#at(event)
    if (!this.pointers.has(event.pointerId)) {
      if (event.pointerType !== "touch") this.#hover(at)
      return
    }
    if (this.pointers.size === 2) {
      this.#pinch(event.pointerId, at)
      return
    }
    this.pointers.set(event.pointerId, at)
    const { drag } = this
    if (!drag) return
    if (Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > CLICK) drag.moved = true
    if (drag.panning) {
      if (drag.moved) this.#pan(at[0] - drag.last[0], at[1] - drag.last[1])
      if (drag.moved) drag.last = at
    } else if (drag.turn) {
      if (drag.moved) this.#turn((at[0] - drag.last[0]) * DEGREES, (at[1] - drag.last[1]) * DEGREES)
      if (drag.moved) drag.last = at
    } else {
      // Browsers gather several moves into one; a lasso wants all of them.
      const moves = event.getCoalescedEvents?.() ?? []
      for (const one of moves.length ? moves : [event])
        this.trail.places.push(this.view.placeOf(this.view.toStep(...this.#at(one))))
      this.trail.takesAway = event.altKey
      this.#drawMarks()
    }
  }

  #pinch(id, at) {
    const [one, other] = [...this.pointers.values()]
    const spread = Math.hypot(one[0] - other[0], one[1] - other[1])
    const middle = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]
    this.pointers.set(id, at)
    const [first, second] = [...this.pointers.values()]
    const now = [(first[0] + second[0]) / 2, (first[1] + second[1]) / 2]
    this.#pan(now[0] - middle[0], now[1] - middle[1])
    if (spread > 0) this.#zoom(Math.hypot(first[0] - second[0], first[1] - second[1]) / spread, ...now)
  }

  #up(event) {
    if (this.tapped && event.pointerType === "touch" && !this.pointers.has(event.pointerId)) {
      const at = this.tapped
      this.tapped = null
      this.#click(at, event)
      return
    }
    if (!this.pointers.delete(event.pointerId)) return
    const { drag, trail } = this
    this.drag = null
    this.trail = null
    if (!drag) return
    if (!drag.moved) this.#click(drag.from, event)
    else if (drag.panning || drag.turn) this.#show()
    else this.#finish(trail, event)
  }

  #cancel(event) {
    this.pointers.delete(event.pointerId)
    this.drag = null
    this.trail = null
    this.tapped = null
    if (this.paint) this.#show()
  }

  /** An outline is drawn: it becomes the selection, or with Shift a part of it, or with Alt what it lacks. */
  #finish({ kind, places }, event) {
    const corners = kind === "box" ? [places[0], places[places.length - 1]] : simplified(places)
    if (kind === "box") corners.sort((one, other) => one[0] - other[0])
    if (kind === "lasso" && corners.length < 3) {
      this.#show()
      return
    }
    if (kind === "box") {
      const up = corners.map((corner) => corner[1]).sort((one, other) => one - other)
      corners[0] = [corners[0][0], up[0]]
      corners[1] = [corners[1][0], up[1]]
    }
    this.#select(toText(kind, corners, { takesAway: event.altKey, map: this.#map }), event)
  }

  #select(text, event) {
    const further = event.shiftKey || event.altKey
    this.texts = further ? [...this.texts, text].slice(-MOST_TEXTS) : [text]
    this.#show()
    this.#tell()
  }

  async #click(at, event) {
    const position = this.points.nearest(this.view, ...at, REACH)
    if (position < 0) {
      this.#show()
      return
    }
    this.#point(position, at)
    try {
      const facts = await this.#factsOf(position)
      this.#select(`${event.altKey ? "-" : ""}image:${facts.image_id}`, event)
    } catch {
      this.#show()
    }
  }

  #wheel(event) {
    // As maps in pages do: the wheel is the page's until somebody uses the map, or holds Ctrl (or pinches).
    if (!this.paint) return
    if (!event.ctrlKey && !event.metaKey && !this.area.classList.contains("active")) {
      this.#say("Click the map, or hold Ctrl, to zoom by the wheel")
      return
    }
    event.preventDefault()
    const lines = event.deltaMode === 1 ? 16 : 1
    const factor = Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) * (event.ctrlKey ? 0.008 : 0.0025))
    this.#point(-1)
    this.#zoom(factor, ...this.#at(event))
  }

  #say(text) {
    this.hint.textContent = text
    this.hint.hidden = false
    clearTimeout(this.saying)
    this.saying = setTimeout(() => {
      this.hint.hidden = true
    }, 1600)
  }

  #key(event) {
    if (!this.paint || event.ctrlKey || event.metaKey) return
    const far = event.shiftKey ? 160 : 40
    const moves = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }
    if (event.key in moves && this.space && this.tool === "turn") {
      const [about, over] = moves[event.key].map((pixels) => -Math.sign(pixels) * DEGREES_A_KEY * (event.shiftKey ? 5 : 1))
      this.#turn(about, over)
    } else if (event.key in moves) {
      this.#pan(...moves[event.key])
      this.#aim()
    } else if (event.key === "+" || event.key === "=") {
      this.#zoom(1.4)
      this.#aim()
    } else if (event.key === "-" || event.key === "_") {
      this.#zoom(1 / 1.4)
      this.#aim()
    } else if (event.key === "0") {
      this.#reset()
    } else if (event.key === "Escape") {
      this.#escape()
    } else if (event.key === "Enter" && this.aimed) {
      this.#click([this.view.width / 2, this.view.height / 2], event)
    } else {
      return
    }
    event.preventDefault()
    event.stopPropagation()
  }

  #escape() {
    if (this.trail) {
      this.trail = null
      this.drag = null
    } else if (this.texts.length) {
      this.texts = []
      this.#tell()
    } else {
      this.area.blur()
    }
    this.#point(-1)
    this.#show()
  }

  /** Who uses the keys looks at the middle. */
  #aim() {
    this.aimed = true
    const middle = [this.view.width / 2, this.view.height / 2]
    this.#point(this.points.nearest(this.view, ...middle, REACH), middle)
  }

  // --- What a point is ---

  #hover(at) {
    this.#point(this.points.nearest(this.view, ...at, REACH), at)
  }

  #point(position, at) {
    if (position < 0) this.card.hidden = true
    if (position === this.pointed) return
    this.pointed = position
    clearTimeout(this.asking)
    this.area.classList.toggle("on", position >= 0)
    if (this.paint) this.#drawMarks()
    if (position < 0) return
    this.asking = setTimeout(async () => {
      try {
        const facts = await this.#factsOf(position)
        if (this.pointed === position) this.#showCard(facts, position, at)
      } catch {
        this.card.hidden = true
      }
    }, CARD_AFTER)
  }

  async #factsOf(at) {
    const position = this.points.positionOf(at)
    if (this.facts?.position === position && this.facts.from === this.data.facts) return this.facts
    const answer = await fetch(absolute(`${this.data.facts}/${position}`), { credentials: "same-origin" })
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
    this.facts = { ...(await answer.json()), position, from: this.data.facts }
    return this.facts
  }

  #showCard(facts, position, at) {
    const image = element("img")
    image.alt = ""
    image.src = absolute(facts.thumbnail)
    const words = element("div")
    words.append(element("b", "", facts.image_id))
    for (const line of facts.lines) words.append(element("span", "", line))
    const color = this.#colorSaid(position)
    if (color) words.append(element("span", "color", color))
    this.card.replaceChildren(image, words)
    this.card.dataset.imageId = facts.image_id
    this.card.hidden = false
    const { width, height } = this.view
    const [x, y] = at ?? [width / 2, height / 2]
    const box = this.card.getBoundingClientRect()
    this.card.style.left = `${x + 16 + box.width > width ? Math.max(4, x - 16 - box.width) : x + 16}px`
    this.card.style.top = `${Math.max(4, Math.min(y - box.height / 2, height - box.height - 4))}px`
  }

  /** What the color of a point says, in words. */
  #colorSaid(position) {
    const { colors } = this.data
    const code = this.codes[this.points.positionOf(position)]
    if (colors.kind !== "values") return `${colors.title}: ${colors.legend[code].name}`
    if (code === 255) return `no ${colors.title}`
    return `${colors.title} ${brief(colors.low + (code / 254) * (colors.high - colors.low))}`
  }
}

function absolute(address) {
  return new URL(address, document.location).href
}
