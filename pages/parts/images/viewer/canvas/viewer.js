// The viewer of pages/parts/images/viewer/image_viewer.py: images through a window that moves, one alone or two side by side.
//
// Owns what a person does: pointer, touch, wheel, keys, buttons; and which image is shown. Drawing, windows and fetching
// have modules of their own. Everything that comes from a collection is set as text, never as markup.

import { factsOf, pictureOf, seenOf } from "./fetched.js"
import { Side, element } from "./side.js"
import { Windows, dragged, words } from "./windows.js"

const REST_AFTER = 140
const TELL_AFTER = 250
const SAID_FOR = 5000
const ZOOM_STEP = 1.25
const MOST_ZOOM = 40
const LEAST_ZOOM = 0.2
const PAN_STEP = 0.06
/** So many images before and after the one shown are fetched ahead, and as many slices. */
const AHEAD = 2
const KEYS = [
  ["← →", "previous and next image"],
  ["↑ ↓, wheel", "slices or frames, where there are several"],
  ["drag, W, C", "window: right wider, down darker; W and C by key, Shift the other way"],
  ["1 to 6", "CT in HU: brain, subdural, lung, bone, abdomen, soft tissue"],
  ["0, A", "the file's own window; automatic window"],
  ["I", "invert"],
  ["+ −, Ctrl+wheel, pinch", "zoom; the plain wheel too, where there is one slice"],
  ["right drag, Shift+drag, Shift+arrows", "move the picture; M lets a plain drag move it; on a page, plain arrows"],
  ["H, V, T", "flip left and right, flip top and bottom, turn right (Shift+T: left)"],
  ["L", "zoom and move both pictures together, or each alone"],
  ["E", "what the encoder saw: its part, window and size"],
  ["S", "the other picture is the one that keys act on"],
  ["F, R", "full screen; as it was opened"],
  ["?, Escape", "open and close this list"],
]

const viewers = new WeakMap()
/** What was done to windows is kept while the page is open, whichever image is opened next. */
const windows = new Windows()

/** Called by Streamlit at each run of the page: makes the viewer, or gives it what has changed. */
export function mount(component) {
  const { parentElement } = component
  let viewer = viewers.get(parentElement)
  if (!viewer) {
    viewer = new Viewer(parentElement.querySelector(".viewer"))
    viewers.set(parentElement, viewer)
  }
  viewer.take(component.data, component.setStateValue)
  return () => setTimeout(() => viewer.root.isConnected || viewer.end(), 0)
}

class Viewer {
  constructor(root) {
    this.root = root
    this.root.frames = 0
    this.status = root.querySelector(".status")
    this.help = root.querySelector(".help")
    this.sides = []
    this.position = -1
    this.serial = 0
    this.asked = 0
    this.dragMoves = false
    this.linked = true
    this.showsSeen = false
    this.pointers = new Map()
    this.buttons = Object.fromEntries(
      [...root.querySelectorAll("[data-act]")].map((button) => [button.dataset.act, button]),
    )
    this.#fillHelp()
    this.#listen()
    this.observer = new ResizeObserver(() => this.#draw(false))
    this.observer.observe(root)
  }

  end() {
    this.observer.disconnect()
    this.leaveKeys?.()
    clearTimeout(this.telling)
    clearTimeout(this.saying)
    clearTimeout(this.resting)
    cancelAnimationFrame(this.frame)
  }

  // --- What the page says ---

  take(data, setStateValue) {
    this.setStateValue = setStateValue
    const first = !this.data
    const before = this.data
    this.data = data
    this.root.toggleAttribute("data-inline", data.inline)
    this.root.toggleAttribute("data-pair", Boolean(data.query))
    if (first) {
      this.#makeSides()
      this.#listenToKeys()
      this.serial = data.serial
      this.#go(data.position, { told: true })
      if (!data.inline) this.#active.stage.focus({ preventScroll: true })
    } else if (data.serial >= this.serial && this.#others(before, data)) {
      // Another image was chosen by the page itself.
      this.serial = data.serial
      this.#makeSides()
      this.#go(data.position, { told: true })
    }
    if (data.serial >= this.serial) this.#hold(false)
  }

  /** Whether the page shows other images than it did. */
  #others(before, data) {
    const asked = ({ values, facts, query, items }) => JSON.stringify([values, facts, query, items[0]?.address, items[0]?.frame])
    const rowAt = ({ items, first, position }) => items[position - first]?.row
    return asked(before) !== asked(data) || rowAt(data) !== this.#item(this.position)?.row
  }

  #makeSides() {
    const { data } = this
    const [query, other] = data.names
    const wanted = data.query ? [query, other] : [other]
    if (this.sides.length !== wanted.length) {
      this.sides = wanted.map((name) => new Side(name))
      this.root.querySelector(".sides").replaceChildren(...this.sides.map((side) => side.root))
      for (const side of this.sides) {
        this.#listenToStage(side)
        side.details.open = !data.inline
      }
    }
    this.sides.forEach((side, at) => {
      side.name = wanted[at]
      side.isQuery = at + 1 < wanted.length
    })
    this.#activate(this.sides.at(-1))
    this.buttons.link.hidden = this.sides.length < 2
    this.buttons.seen.hidden = !data.seen
    this.root.querySelector(".steps").hidden = data.total < 2
  }

  #item(position) {
    return this.data.items[position - this.data.first]
  }

  // --- Which image is shown ---

  #go(position, { told = false } = {}) {
    const item = this.#item(position)
    if (!item) return
    this.position = position
    this.buttons.previous.disabled = !this.#item(position - 1)
    this.buttons.next.disabled = !this.#item(position + 1)
    const asked = ++this.asked
    this.root.dataset.state = "loading"
    const shows = [this.#load(this.sides.at(-1), item, () => asked === this.asked)]
    const { query } = this.data
    const asks = query && `${query.row ?? query.address} ${query.frame}`
    if (query && this.shownQuery !== asks) {
      this.shownQuery = asks
      shows.push(this.#load(this.sides[0], { ...query, said: "" }, () => this.shownQuery === asks))
    }
    Promise.all(shows).then(() => {
      if (asked !== this.asked) return
      this.root.dataset.state = "ready"
      this.root.dataset.position = position
      for (let by = 1; by <= AHEAD; by++) for (const at of [position + by, position - by]) this.#fetchAhead(this.#item(at))
      for (const row of this.data.ahead) pictureOf(this.#valuesAddress({ row })).catch(() => {})
    })
    if (!told) {
      this.serial += 1
      this.#hold(true)
      clearTimeout(this.telling)
      const at = { position, serial: this.serial }
      this.telling = setTimeout(() => this.setStateValue("at", at), TELL_AFTER)
    }
  }

  #step(by) {
    if (this.#item(this.position + by)) this.#go(this.position + by)
  }

  /** What the page draws of the image that was left must not be used for the next one. */
  #hold(held) {
    const around = this.#dialog
    const panel = around?.querySelector(".st-key-radcbir-beside-viewer")
    if (!panel) return
    if (held && panel.contains(document.activeElement)) this.#active.stage.focus({ preventScroll: true })
    panel.inert = held
    panel.style.opacity = held ? "0.45" : ""
  }

  get #dialog() {
    return this.root.getRootNode().host?.closest("[role=dialog]") ?? this.root.closest("[role=dialog]")
  }

  #factsAddress(row) {
    return `${this.data.facts}/${row}`
  }

  #valuesAddress(item, frame = item.frame ?? "own") {
    return item.address ? `${item.address}/${frame}` : `${this.data.values}/${item.row}/${frame}`
  }

  #facts(item) {
    return item.address ? Promise.resolve(item) : factsOf(this.#factsAddress(item.row))
  }

  #fetchAhead(item) {
    if (!item || item.address) return
    this.#facts(item).catch(() => {})
    pictureOf(this.#valuesAddress(item)).catch(() => {})
  }

  /** Show an image on a side: picture and text change in the same moment. */
  async #load(side, item, isWanted) {
    const late = setTimeout(() => isWanted() && this.#say("Loading…"), 200)
    const [facts, picture] = await Promise.allSettled([this.#facts(item), pictureOf(this.#valuesAddress(item))])
    clearTimeout(late)
    if (!isWanted()) return
    this.#say("")
    const known = facts.status === "fulfilled" ? facts.value : { head: "", facts: [] }
    side.item = item
    side.own = item
    side.tell(known, item.said, item.found)
    if (picture.status === "rejected") side.fail(picture.reason.message, known.thumbnail)
    else side.take(picture.value)
    this.#setSlices(side, known)
    side.saw = null
    this.#straightenView(side)
    await this.#overlay(side)
    this.#paint()
  }

  #straightenView(side) {
    side.quarter = 0
    side.mirrored = false
    side.overturned = false
    if (!this.linked || this.sides.length < 2) side.view = { zoom: 1, x: 0, y: 0 }
    else side.view = this.sides.find((one) => one !== side)?.view ?? side.view
  }

  // --- Slices and frames ---

  #setSlices(side, facts) {
    const frames = side.picture?.head.frames ?? 1
    const series = facts.series ?? []
    side.stack = null
    if (frames > 1) side.stack = { kind: "Frame", count: frames, at: side.picture.head.frame }
    else if (series.length > 1) side.stack = { kind: "Slice", count: series.length, at: series.indexOf(side.item.row), series }
    if (side.stack) side.stack.own = side.stack.at
    this.#saySlice(side)
  }

  #saySlice(side) {
    const { stack } = side
    side.slices.hidden = !stack
    if (!stack) return
    side.slider.max = stack.count
    side.slider.value = stack.at + 1
    side.slider.setAttribute("aria-label", `${stack.kind} of ${side.name}`)
    const own = stack.at === stack.own ? "" : ` (${stack.kind === "Frame" ? "searched" : "this image"}: ${stack.own + 1})`
    side.output.textContent = `${stack.kind} ${stack.at + 1} of ${stack.count}${own}`
  }

  #slice(side, at) {
    const { stack } = side
    if (!stack) return
    at = Math.min(Math.max(at, 0), stack.count - 1)
    if (at === stack.at) return
    stack.at = at
    this.#saySlice(side)
    if (!stack.loading) this.#loadSlice(side)
  }

  async #loadSlice(side) {
    const { stack } = side
    stack.loading = true
    while (side.stack === stack) {
      const { at } = stack
      const item = stack.series ? { row: stack.series[at], said: side.own.said, found: at === stack.own ? side.own.found : "" } : side.own
      const address = (place) =>
        stack.series ? this.#valuesAddress({ row: stack.series[place] }) : this.#valuesAddress(side.own, place)
      const wants = [pictureOf(address(at)), stack.series ? this.#facts(item) : side.facts]
      const [picture, facts] = await Promise.allSettled(wants)
      if (side.stack !== stack) return
      side.item = item
      if (picture.status === "rejected") {
        side.fail(picture.reason.message, facts.value?.thumbnail)
        side.slices.hidden = false
      } else side.take(picture.value)
      if (stack.series && facts.status === "fulfilled") side.tell(facts.value, item.said, item.found)
      await this.#overlay(side)
      this.#paint()
      if (stack.at === at) {
        for (let by = 1; by <= AHEAD; by++) {
          for (const place of [at + by, at - by]) if (place >= 0 && place < stack.count) pictureOf(address(place)).catch(() => {})
        }
        break
      }
    }
    stack.loading = false
  }

  // --- What the encoder saw ---

  async #overlay(side) {
    side.saw = null
    side.seen.hidden = true
    if (!this.showsSeen || !this.data.seen || !side.picture || side.item.row === undefined) return
    if (side.stack?.kind === "Frame" && side.stack.at !== side.stack.own) {
      side.seen.textContent = `The encoder saw frame ${side.stack.own + 1}.`
      side.seen.hidden = false
      return
    }
    try {
      const saw = await seenOf(`${this.data.seen}/${side.item.row}`)
      side.saw = saw
      side.seen.textContent = saw.head.words
    } catch (error) {
      side.seen.textContent = error.message
    }
    side.seen.hidden = false
  }

  async #toggleSeen() {
    this.showsSeen = !this.showsSeen
    this.buttons.seen.setAttribute("aria-pressed", this.showsSeen)
    await Promise.all(this.sides.map((side) => this.#overlay(side)))
    this.#paint()
  }

  // --- Windows ---

  #modality(side) {
    return side.facts?.modality ?? ""
  }

  #windowOf(side) {
    return windows.of(side.picture, this.#modality(side))
  }

  #setWindow(side, window) {
    if (!side.picture) return
    windows.set(side.picture, this.#modality(side), window)
    this.#paint(true)
  }

  #nameWindow(side, name) {
    if (!side.picture) return
    windows.name(side.picture, this.#modality(side), name)
    this.#paint()
  }

  #chooseNumbered(side, at) {
    if (!side.picture) return
    const chosen = this.data.windows[at]
    if (!chosen) return
    if (side.picture.head.unit !== "HU") {
      this.#say("The number keys are windows in HU, for CT; the values of this image are in no such unit.")
      return
    }
    this.#setWindow(side, { center: chosen.center, width: chosen.width, source: "preset", name: chosen.name })
    this.#say(`${chosen.name}: center ${chosen.center}, width ${chosen.width} HU`)
  }

  #invert(side) {
    if (!side.picture) return
    windows.invert(side.picture, this.#modality(side))
    this.#paint()
  }

  #fillWindows() {
    const { picture } = this.#active
    const select = this.buttons.window
    select.disabled = !picture
    if (!picture) {
      select.replaceChildren(element("option", "", "no picture"))
      return
    }
    const window = this.#windowOf(this.#active)
    const inUnit = picture.head.unit === "HU" ? this.data.windows : []
    const own = { header: "the file's own", "voi lut": "the file's own", "as stored": "as stored", "full range": "all values" }
    const entries = [
      ["own", `0 ${own[picture.head.own.source] ?? "own"}`],
      ...(picture.head.automatic ? [["automatic", "A automatic"]] : []),
      ...inUnit.map(({ name, center, width }, at) => [String(at), `${at + 1} ${name} (${center} / ${width})`]),
    ]
    const numbered = inUnit.findIndex(({ name }) => name === window.name)
    let now = "hand"
    if (numbered >= 0) now = String(numbered)
    else if (window === picture.head.own) now = "own"
    else if (window === picture.head.automatic) now = "automatic"
    if (now === "hand") entries.push(["hand", "by hand"])
    select.replaceChildren(...entries.map(([value, text]) => {
      const option = element("option", "", text)
      option.value = value
      return option
    }))
    select.value = now
  }

  // --- Drawing ---

  /** Everything anew: values become pixels, pixels are drawn. Quickly while something moves, wholly once it rests. */
  #paint(quick = false) {
    this.repaint = true
    this.#draw(quick)
  }

  #draw(quick = false) {
    this.quick = quick
    this.frame ??= requestAnimationFrame(() => this.#drawNow())
  }

  #drawNow() {
    this.frame = undefined
    const { quick } = this
    for (const side of this.sides) {
      if (side.picture) {
        const window = this.#windowOf(side)
        if (this.repaint) side.paint(window, windows.isInverted(side.picture, this.#modality(side)), quick)
        side.window.textContent = words(window, side.picture.head.unit)
      }
      side.draw(quick)
    }
    this.repaint = false
    this.root.frames += 1
    const { picture } = this.#active
    const inverted = picture ? windows.isInverted(picture, this.#modality(this.#active)) : false
    this.buttons.invert.setAttribute("aria-pressed", inverted)
    this.buttons.mirror.setAttribute("aria-pressed", this.#active.mirrored)
    this.buttons.overturn.setAttribute("aria-pressed", this.#active.overturned)
    clearTimeout(this.resting)
    if (quick) this.resting = setTimeout(() => this.#paint(false), REST_AFTER)
    else this.#fillWindows()
  }

  // --- Zoom, moving, turning ---

  /** Change the view of a side, and of the other one where they are linked. */
  #look(side, change) {
    change(side.view)
    side.view.zoom = Math.min(Math.max(side.view.zoom, LEAST_ZOOM), MOST_ZOOM)
    if (this.linked) for (const other of this.sides) other.view = side.view
    this.#draw(true)
  }

  /** Zoom about a point of the stage, in parts of its size from the middle. */
  #zoom(side, factor, x = 0, y = 0) {
    this.#look(side, (view) => {
      const zoom = Math.min(Math.max(view.zoom * factor, LEAST_ZOOM), MOST_ZOOM)
      const by = zoom / view.zoom
      view.x = x - (x - view.x) * by
      view.y = y - (y - view.y) * by
      view.zoom = zoom
    })
  }

  #move(side, x, y) {
    this.#look(side, (view) => {
      view.x = Math.min(Math.max(view.x + x, -view.zoom), view.zoom)
      view.y = Math.min(Math.max(view.y + y, -view.zoom), view.zoom)
    })
  }

  #turn(side, by) {
    side.quarter = (side.quarter + by + 4) % 4
    this.#draw()
  }

  #flip(side, which) {
    side[which] = !side[which]
    this.#draw()
  }

  #link() {
    this.linked = !this.linked
    this.buttons.link.setAttribute("aria-pressed", this.linked)
    for (const side of this.sides) side.view = this.linked ? this.#active.view : { ...side.view }
    this.#draw()
  }

  #reset() {
    windows.clear()
    for (const side of this.sides) {
      side.straighten()
      if (side.stack) this.#slice(side, side.stack.own)
    }
    if (this.linked) for (const side of this.sides) side.view = this.#active.view
    this.#say("")
    this.#paint()
  }

  // --- What a person does ---

  get #active() {
    return this.active ?? this.sides.at(-1)
  }

  #activate(side) {
    this.active = side
    for (const one of this.sides) one.stage.classList.toggle("active", one === side)
    if (this.sides.length) this.#fillWindows()
  }

  #say(text) {
    clearTimeout(this.saying)
    if (this.status.textContent !== text) this.status.textContent = text
    if (text) this.saying = setTimeout(() => this.#say(""), SAID_FOR)
  }

  #fillHelp() {
    const list = element("dl")
    for (const [keys, what] of KEYS) list.append(element("dt", "", keys), element("dd", "", what))
    this.help.append(
      element("h4", "", "Keys, mouse and touch"),
      list,
      element("p", "", "By touch: one finger changes the window, two fingers zoom and move, twice quickly shows all of it."),
    )
  }

  #toggleHelp(open = this.help.hidden) {
    this.help.hidden = !open
    this.buttons.help.setAttribute("aria-expanded", open)
    if (open) this.help.focus()
    else this.#active.stage.focus({ preventScroll: true })
  }

  #showLarge() {
    if (document.fullscreenElement) document.exitFullscreen()
    else this.root.requestFullscreen?.().catch(() => this.#say("This browser shows nothing in full screen here."))
  }

  #act(name, event) {
    const side = this.#active
    const acts = {
      previous: () => this.#step(-1),
      next: () => this.#step(1),
      drag: () => this.#toggleDrag(),
      invert: () => this.#invert(side),
      mirror: () => this.#flip(side, "mirrored"),
      overturn: () => this.#flip(side, "overturned"),
      turn: () => this.#turn(side, event?.shiftKey ? -1 : 1),
      in: () => this.#zoom(side, ZOOM_STEP),
      out: () => this.#zoom(side, 1 / ZOOM_STEP),
      link: () => this.sides.length > 1 && this.#link(),
      seen: () => this.data.seen && this.#toggleSeen(),
      large: () => this.#showLarge(),
      reset: () => this.#reset(),
      help: () => this.#toggleHelp(),
    }
    acts[name]?.()
  }

  #toggleDrag() {
    this.dragMoves = !this.dragMoves
    this.#nameDrag()
  }

  #nameDrag() {
    this.buttons.drag.textContent = this.dragMoves ? "Drag: move" : "Drag: window"
    this.root.dataset.drag = this.dragMoves ? "move" : "window"
  }

  #listen() {
    this.#nameDrag()
    for (const [name, button] of Object.entries(this.buttons)) {
      if (name !== "window") button.addEventListener("click", (event) => this.#act(name, event))
    }
    this.buttons.window.addEventListener("change", ({ target }) => {
      if (target.value === "own" || target.value === "automatic") this.#nameWindow(this.#active, target.value)
      else this.#chooseNumbered(this.#active, Number(target.value))
    })
  }

  #listenToKeys() {
    // A dialog is the viewer's, wherever in it somebody is; on a page keys are heard once the viewer has been clicked.
    const where = (!this.data.inline && this.#dialog) || this.root
    const hear = (event) => this.#key(event)
    where.addEventListener("keydown", hear)
    this.leaveKeys = () => where.removeEventListener("keydown", hear)
  }

  #key(event) {
    const target = event.composedPath()[0]
    if (target instanceof Element && (target.isContentEditable || target.matches("input, textarea, select"))) return
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const act = this.#actOf(event)
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }

  /** What a key does; undefined where it does nothing, and belongs to the page. */
  #actOf(event) {
    const side = this.#active
    const { key, shiftKey } = event
    if (key === "Escape") return this.help.hidden ? undefined : () => this.#toggleHelp(false)
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key]
    // On a page the arrows with Shift are the page's own.
    const moves = arrow && (this.data.inline ? !shiftKey && (arrow[0] || !side.stack) : shiftKey)
    if (moves) return () => this.#move(side, -arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP)
    if (arrow && shiftKey) return undefined
    if (arrow && arrow[0]) return () => this.#step(arrow[0])
    if (arrow || key === "PageUp" || key === "PageDown") {
      if (!side.stack) return undefined
      const by = arrow ? arrow[1] : key === "PageUp" ? -1 : 1
      return () => this.#slice(side, side.stack.at + by)
    }
    if (!shiftKey && /^[1-9]$/.test(key)) return () => this.#chooseNumbered(side, Number(key) - 1)
    const factor = shiftKey ? -1 : 1
    return {
      0: () => this.#nameWindow(side, "own"),
      a: () => this.#nameWindow(side, "automatic"),
      w: () => side.picture && this.#setWindow(side, dragged(this.#windowOf(side), 25 * factor, 0)),
      c: () => side.picture && this.#setWindow(side, dragged(this.#windowOf(side), 0, 20 * factor)),
      i: () => this.#act("invert"),
      "+": () => this.#act("in"),
      "=": () => this.#act("in"),
      "-": () => this.#act("out"),
      _: () => this.#act("out"),
      h: () => this.#act("mirror"),
      v: () => this.#act("overturn"),
      t: () => this.#turn(side, factor),
      l: () => this.#act("link"),
      e: () => this.#act("seen"),
      m: () => this.#act("drag"),
      f: () => this.#act("large"),
      r: () => this.#act("reset"),
      s: () => this.#other(),
      "?": () => this.#act("help"),
    }[key.toLowerCase()]
  }

  #other() {
    const other = this.sides[(this.sides.indexOf(this.#active) + 1) % this.sides.length]
    this.#activate(other)
    other.stage.focus({ preventScroll: true })
  }

  #listenToStage(side) {
    const { stage } = side
    stage.addEventListener("focus", () => {
      this.#activate(side)
      stage.classList.add("held")
    })
    stage.addEventListener("blur", () => stage.classList.remove("held"))
    stage.addEventListener("contextmenu", (event) => event.preventDefault())
    stage.addEventListener("pointerdown", (event) => this.#down(side, event))
    stage.addEventListener("pointermove", (event) => this.#moved(side, event))
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#up(event))
    stage.addEventListener("pointerleave", () => (side.value.textContent = ""))
    stage.addEventListener("dblclick", () => this.#look(side, (view) => Object.assign(view, { zoom: 1, x: 0, y: 0 })))
    stage.addEventListener("wheel", (event) => this.#wheel(side, event), { passive: false })
    side.slider.addEventListener("input", () => this.#slice(side, Number(side.slider.value) - 1))
    for (const name of ["pointerdown", "dblclick"]) side.slices.addEventListener(name, (event) => event.stopPropagation())
  }

  #place(side, event) {
    const box = side.stage.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  #down(side, event) {
    if (event.target.closest(".trouble, .slices")) return
    side.stage.focus({ preventScroll: true })
    this.#activate(side)
    side.stage.setPointerCapture(event.pointerId)
    this.pointers.set(event.pointerId, this.#place(side, event))
    const moves = event.button > 0 || event.shiftKey || this.dragMoves
    this.drag = { side, moves, window: side.picture && this.#windowOf(side), from: this.#place(side, event) }
    this.drag.last = this.drag.from
    event.preventDefault()
  }

  #moved(side, event) {
    const place = this.#place(side, event)
    if (!this.pointers.has(event.pointerId)) {
      side.value.textContent = side.valueAt(...place)
      return
    }
    const { drag } = this
    if (!drag || drag.side !== side) return
    const before = this.pointers.get(event.pointerId)
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at)
      this.pointers.set(event.pointerId, place)
      this.#pinch(side, before, place, other)
      drag.pinched = true
      return
    }
    this.pointers.set(event.pointerId, place)
    if (drag.pinched) return
    const [wide, high] = side.room
    if (drag.moves) {
      this.#move(side, (place[0] - drag.last[0]) / wide, (place[1] - drag.last[1]) / high)
      drag.last = place
    } else if (drag.window) {
      this.#setWindow(side, dragged(drag.window, place[0] - drag.from[0], place[1] - drag.from[1]))
    }
  }

  #pinch(side, before, place, other) {
    const [wide, high] = side.room
    const distance = (one) => Math.hypot(one[0] - other[0], one[1] - other[1])
    const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2]
    const moved = [(place[0] - before[0]) / 2, (place[1] - before[1]) / 2]
    this.#move(side, moved[0] / wide, moved[1] / high)
    if (distance(before) > 0) {
      this.#zoom(side, distance(place) / distance(before), middle[0] / wide - 0.5, middle[1] / high - 0.5)
    }
  }

  #up(event) {
    this.pointers.delete(event.pointerId)
    if (!this.pointers.size) this.drag = undefined
  }

  #wheel(side, event) {
    // On a page the wheel scrolls, until the viewer has been clicked.
    if (this.data.inline && !event.ctrlKey && !side.stage.classList.contains("held")) return
    event.preventDefault()
    if (side.stack && !event.ctrlKey) {
      this.wheeled = (this.wheeled ?? 0) + (event.deltaMode ? event.deltaY * 40 : event.deltaY)
      const by = Math.trunc(this.wheeled / 40)
      if (!by) return
      this.wheeled -= by * 40
      // A notch of a mouse is a slice, however far it is said to go.
      this.#slice(side, side.stack.at + (Math.abs(event.deltaY) >= 80 ? Math.sign(by) : by))
      return
    }
    const [wide, high] = side.room
    const [x, y] = this.#place(side, event)
    this.#zoom(side, Math.exp(-event.deltaY / (event.ctrlKey ? 200 : 600)), x / wide - 0.5, y / high - 0.5)
  }
}
