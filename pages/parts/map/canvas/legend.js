// The legend: what the colors mean, how many images have each, and which categories are shown.
//
// A click shows one category alone, another click on it shows all again, with Shift it is shown as well or no longer.
// What is rare is folded into "others" and can be called back, which gives it a color and a sign of its own.

import { NO_SIGN, SIGNS, drawSign } from "./signs.js"

const OTHERS = -1

export class Legend {
  /**
   * @param {HTMLElement} root
   * @param {(only: string[]) => void} onOnly - Told which categories are shown alone; none for all.
   * @param {() => void} onLook - Told when a category is called back, or folded again.
   */
  constructor(root, onOnly, onLook) {
    this.root = root
    this.onOnly = onOnly
    this.onLook = onLook
    this.entries = []
    this.only = new Set()
    this.called = new Set()
    this.open = false
    this.shut = false
  }

  /** Take the colors of a run of the page, and which categories the address says are shown alone. */
  set(colors, only, counts, theme) {
    if (this.title !== colors.title || this.kind !== colors.kind) {
      this.called.clear()
      this.open = false
    }
    this.kind = colors.kind
    this.title = colors.title
    this.colors = colors
    this.counts = counts
    this.theme = theme
    this.entries = colors.kind === "values" ? [] : colors.legend
    this.setOnly(only)
  }

  setOnly(only) {
    this.only = new Set(only)
    this.entries.forEach((entry, code) => {
      if (entry.folded && this.only.has(entry.name) && !this.#othersAlone()) this.called.add(code)
    })
    this.draw()
  }

  /** Whether exactly what is folded is shown alone. */
  #othersAlone() {
    const folded = this.entries.filter((entry, code) => entry.folded && !this.called.has(code))
    return folded.length > 0 && this.only.size === folded.length && folded.every((entry) => this.only.has(entry.name))
  }

  isFolded(code) {
    return this.entries[code].folded && !this.called.has(code)
  }

  isShown(code) {
    return this.only.size === 0 || this.only.has(this.entries[code].name)
  }

  signOf(code) {
    const entry = this.entries[code]
    if (!entry.known) return NO_SIGN
    if (this.isFolded(code)) return "circle"
    const own = this.entries.map((_, at) => at).filter((at) => this.entries[at].known && !this.entries[at].folded)
    const rank = entry.folded ? own.length + [...this.called].indexOf(code) : own.indexOf(code)
    return SIGNS[rank % SIGNS.length]
  }

  colorOf(code) {
    return this.isFolded(code) ? this.theme.others : this.entries[code].color
  }

  #click(names, event) {
    const all = names.every((name) => this.only.has(name))
    if (event.shiftKey) {
      for (const name of names) {
        if (all) this.only.delete(name)
        else this.only.add(name)
      }
    } else {
      const alone = all && this.only.size === names.length
      this.only = new Set(alone ? [] : names)
    }
    if (this.entries.every((entry) => this.only.has(entry.name))) this.only.clear()
    this.draw()
    this.onOnly([...this.only])
  }

  draw() {
    const { root, theme } = this
    if (this.kind === "values") return this.#drawScale()
    const focused = root.getRootNode().activeElement?.dataset?.code
    const lines = []
    const folded = []
    this.entries.forEach((entry, code) => {
      if (this.isFolded(code)) folded.push(code)
      else if (this.counts[code] || entry.count) lines.push(code)
    })
    // As the server has them, with those called back before what is no category.
    lines.sort((one, other) => this.#place(one) - this.#place(other) || one - other)
    const list = element("ul")
    for (const code of lines.filter((one) => this.entries[one].known)) list.append(this.#line(code))
    if (folded.length) {
      list.append(this.#others(folded))
      if (this.open) for (const code of folded) list.append(this.#foldedLine(code))
    }
    for (const code of lines.filter((one) => !this.entries[one].known)) list.append(this.#line(code))
    const parts = [this.#head(), ...(this.shut ? [] : [list])]
    if (this.only.size) {
      const all = element("button", "all", "Show all again")
      all.type = "button"
      all.onclick = () => {
        this.only.clear()
        this.draw()
        this.onOnly([])
      }
      parts.push(all)
    }
    root.replaceChildren(...parts)
    root.style.setProperty("--ground", `rgb(${theme.ground.join(",")})`)
    if (focused !== undefined) root.querySelector(`[data-code="${focused}"]`)?.focus()
  }

  /** The title, a click on which makes room for the map. */
  #head() {
    const head = element("h4")
    const button = element("button", "head", this.title)
    button.type = "button"
    button.title = this.shut ? "Show the legend" : "Hide the legend"
    button.setAttribute("aria-expanded", String(!this.shut))
    button.append(element("span", "", this.shut ? "▸" : "▾"))
    button.onclick = () => {
      this.shut = !this.shut
      this.draw()
    }
    head.append(button)
    return head
  }

  #place(code) {
    return this.entries[code].folded ? 1 : 0
  }

  #line(code) {
    const entry = this.entries[code]
    const line = element("li")
    const button = this.#button(code, entry.name, this.counts[code], [entry.name])
    if (!this.isShown(code)) button.classList.add("away")
    line.append(button)
    if (entry.folded) {
      const fold = element("button", "fold", "×")
      fold.type = "button"
      fold.title = `Fold ${entry.name} into the others again`
      fold.setAttribute("aria-label", fold.title)
      fold.onclick = () => {
        this.called.delete(code)
        this.only.delete(entry.name)
        this.draw()
        this.onLook()
        this.onOnly([...this.only])
      }
      line.append(fold)
    }
    return line
  }

  #others(folded) {
    const line = element("li")
    const names = folded.map((code) => this.entries[code].name)
    const count = folded.reduce((sum, code) => sum + this.counts[code], 0)
    const title = folded.length === 1 ? names[0] : `${folded.length} others`
    const button = this.#button(OTHERS, title, count, names, folded[0])
    if (this.only.size && !names.some((name) => this.only.has(name))) button.classList.add("away")
    const more = element("button", "fold", this.open ? "▾" : "▸")
    more.type = "button"
    more.title = this.open ? "Hide their names" : "Show their names, to call one back"
    more.setAttribute("aria-label", more.title)
    more.setAttribute("aria-expanded", String(this.open))
    more.onclick = () => {
      this.open = !this.open
      this.draw()
    }
    line.append(button, more)
    return line
  }

  #foldedLine(code) {
    const entry = this.entries[code]
    const line = element("li", "folded")
    const button = element("button", "entry")
    button.type = "button"
    button.dataset.code = code
    button.title = `Give ${entry.name} a color and a sign of its own`
    button.append(element("span", "sign", "+"), element("span", "name", entry.name), this.#count(this.counts[code]))
    button.onclick = () => {
      this.called.add(code)
      this.draw()
      this.onLook()
    }
    line.append(button)
    return line
  }

  #button(code, name, count, names, like = code) {
    const button = element("button", "entry")
    button.type = "button"
    button.dataset.code = code
    button.title = `${name}: ${count.toLocaleString("en")}. Click: only this. Shift-click: this as well.`
    button.setAttribute("aria-pressed", String(names.every((one) => this.only.has(one))))
    button.append(this.#sign(like), element("span", "name", name), this.#count(count))
    button.onclick = (event) => this.#click(names, event)
    return button
  }

  #count(count) {
    return element("span", "count", count.toLocaleString("en"))
  }

  #sign(code) {
    const canvas = element("canvas", "sign")
    canvas.width = canvas.height = 28
    drawSign(canvas.getContext("2d"), this.signOf(code), 14, 14, 9.5, this.colorOf(code))
    return canvas
  }

  #drawScale() {
    const { low, high, note } = this.colors
    const scale = element("div", "scale")
    scale.style.background = `linear-gradient(to top, ${this.colors.scale.join(",")})`
    const numbers = element("div", "numbers")
    for (const share of [1, 0.75, 0.5, 0.25, 0]) numbers.append(element("span", "", brief(low + share * (high - low))))
    const both = element("div", "both")
    both.append(scale, numbers)
    const parts = [this.#head()]
    if (this.shut) return this.root.replaceChildren(...parts)
    if (note) parts.push(element("small", "", note))
    parts.push(both)
    const without = this.counts[255]
    if (without) {
      const line = element("p", "without")
      const dot = element("i")
      dot.style.background = this.theme.none
      line.append(dot, `none: ${without.toLocaleString("en")}`)
      parts.push(line)
    }
    this.root.replaceChildren(...parts)
  }
}

export function brief(number) {
  return String(Number(number.toPrecision(3)))
}

export function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}
