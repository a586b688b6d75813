// Where a reader answers a case: one of the answers, how sure they are, and Enter; with the time that they looked.
//
// Owns the pad, its keys, and the browser's clock. The clock is the steady one of the page (performance.now): it begins
// when the picture of the case is drawn, and stands still while the page is hidden. Texts are set as text.

const pads = new WeakMap()

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".pad")
  let pad = pads.get(root)
  if (!pad || pad.data.token !== data.token) {
    pad?.end()
    pad = new Pad(root, data)
    pads.set(root, pad)
  }
  pad.take(data, setTriggerValue)
  return () => setTimeout(() => root.isConnected || pad.end(), 0)
}

function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

/** Time in which the picture was there and the page to be seen. */
class Clock {
  constructor() {
    this.looked = 0
    this.hidden = 0
    this.longest = 0
    this.since = null
    this.change = () => this.#turn()
    document.addEventListener("visibilitychange", this.change)
  }

  begin() {
    if (this.since !== null) return
    this.since = performance.now()
    this.isVisible = document.visibilityState === "visible"
  }

  #turn() {
    if (this.since === null) return
    const now = performance.now()
    const stretch = now - this.since
    if (this.isVisible) this.looked += stretch
    else {
      this.hidden += stretch
      this.longest = Math.max(this.longest, stretch)
    }
    this.since = now
    this.isVisible = document.visibilityState === "visible"
  }

  told() {
    if (this.since === null) return {}
    this.#turn()
    const seconds = (stretch) => Math.round(stretch) / 1000
    return { looked: seconds(this.looked), hidden: seconds(this.hidden), longest_hidden: seconds(this.longest) }
  }

  end() {
    document.removeEventListener("visibilitychange", this.change)
  }
}

class Pad {
  constructor(root, data) {
    this.root = root
    this.data = data
    this.clock = new Clock()
    this.sent = false
    this.#make()
    this.hear = (event) => this.#key(event)
    document.addEventListener("keydown", this.hear)
    this.#waitForPicture()
  }

  take(data, setTriggerValue) {
    // Told again that nothing was kept: it can be sent once more.
    if (data.attempt !== this.data.attempt) this.sent = false
    this.data = data
    this.setTriggerValue = setTriggerValue
    this.#refresh()
  }

  end() {
    document.removeEventListener("keydown", this.hear)
    cancelAnimationFrame(this.waiting)
    this.clock.end()
  }

  #make() {
    const { data } = this
    this.answers = data.answers.map((text, at) => this.#choice("answer", text, at < 9 ? String(at + 1) : "", () => this.#answer(at)))
    const asked = element("fieldset")
    asked.append(element("legend", "", data.question), this.#list(this.answers, "answers", data.question))
    const sure = element("fieldset")
    sure.append(element("legend", "", data.confidence_question))
    this.levels = []
    if (data.most === 100) {
      this.slider = element("input")
      Object.assign(this.slider, { type: "range", min: 0, max: 100, value: 50 })
      this.slider.setAttribute("aria-label", data.confidence_question)
      this.number = element("output", "", "not chosen")
      this.slider.addEventListener("input", () => this.#sure(Number(this.slider.value)))
      this.slider.addEventListener("click", () => this.#sure(Number(this.slider.value)))
      const line = element("div", "slider")
      line.append(element("small", "", data.confidence_words[0]), this.slider, element("small", "", data.confidence_words[1]), this.number)
      sure.append(line)
    } else {
      for (let level = data.least; level <= data.most; level++) {
        this.levels.push(this.#choice("level", String(level), "", () => this.#sure(level)))
      }
      const line = this.#list(this.levels, "levels", data.confidence_question)
      const ends = element("div", "ends")
      ends.append(element("small", "", data.confidence_words[0]), element("small", "", data.confidence_words[1]))
      sure.append(line, ends)
    }
    this.submit = element("button", "submit")
    this.submit.type = "button"
    this.submit.addEventListener("click", () => this.#send())
    this.keys = element("p", "keys", data.keys)
    this.status = element("p", "status")
    this.status.setAttribute("role", "status")
    this.root.replaceChildren(asked, sure, this.submit, this.status, this.keys)
  }

  #list(choices, className, said) {
    const list = element("div", className)
    list.setAttribute("role", "radiogroup")
    list.setAttribute("aria-label", said)
    list.append(...choices)
    return list
  }

  #choice(kind, text, key, choose) {
    const button = element("button", kind)
    button.type = "button"
    button.setAttribute("role", "radio")
    button.setAttribute("aria-checked", "false")
    if (key) button.append(element("kbd", "", key))
    button.append(element("span", "", text))
    button.addEventListener("click", choose)
    return button
  }

  #answer(at) {
    if (this.sent || !this.answers[at]) return
    this.answer = at
    this.#refresh()
    const next = this.slider ?? this.levels.find((one) => one.getAttribute("aria-checked") === "true") ?? this.levels[0]
    next.focus({ preventScroll: true })
  }

  #sure(level) {
    if (this.sent) return
    this.level = level
    if (this.slider) this.slider.value = level
    this.#refresh()
    if (!this.slider && this.answer !== undefined) this.submit.focus({ preventScroll: true })
  }

  get #isComplete() {
    return this.answer !== undefined && this.level !== undefined
  }

  #send() {
    if (this.sent || !this.#isComplete) return
    this.sent = true
    this.#refresh()
    this.setTriggerValue("answer", {
      token: this.data.token,
      answer: this.data.answers[this.answer],
      confidence: this.level,
      ...this.clock.told(),
    })
  }

  #refresh() {
    const mark = (buttons, chosen) =>
      buttons.forEach((one, at) => {
        one.setAttribute("aria-checked", String(at === chosen))
        one.tabIndex = at === (chosen ?? 0) ? 0 : -1
        one.disabled = this.sent
      })
    mark(this.answers, this.answer)
    mark(this.levels, this.level === undefined ? undefined : this.level - this.data.least)
    if (this.number) this.number.textContent = this.level === undefined ? "not chosen" : String(this.level)
    if (this.slider) this.slider.disabled = this.sent
    this.submit.disabled = this.sent || !this.#isComplete
    this.submit.textContent = this.sent ? "Keeping the answer…" : "Submit"
    this.submit.dataset.ready = String(this.#isComplete)
    this.root.dataset.state = this.sent ? "sent" : "open"
  }

  /** Digits answer, then say how sure; Enter submits. What is typed in the viewer is the viewer's. */
  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat || this.sent) return
    if (document.querySelector("[role=dialog]")) return
    const path = event.composedPath()
    const isOf = (selector) => path.some((one) => one instanceof Element && one.matches(selector))
    if (isOf("input:not([type=range]), textarea, select")) return
    const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1]
    if (digit !== undefined) {
      if (isOf(".viewer") && !event.shiftKey) return
      event.preventDefault()
      if (event.shiftKey || !(isOf(".levels") || isOf(".slider") || isOf(".submit"))) this.#answer(Number(digit) - 1)
      else if (this.slider) this.#sure(Number(digit) * 10)
      else if (this.levels[Number(digit) - this.data.least]) this.#sure(Number(digit))
      return
    }
    const along = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key]
    for (const [selector, buttons] of [[".answers", this.answers], [".levels", this.levels]]) {
      if (along && isOf(selector)) {
        event.preventDefault()
        const now = Math.max(0, buttons.findIndex((one) => path.includes(one)))
        buttons[(now + along + buttons.length) % buttons.length].focus()
        return
      }
    }
    if (event.key === "Enter" && this.#isComplete && !isOf(".viewer") && !isOf(".answers") && !isOf("a, .hits")) {
      event.preventDefault()
      this.#send()
    }
  }

  /** The clock begins when the viewer has drawn this very case. */
  #waitForPicture() {
    const look = () => {
      const viewer = viewerOf(this.data.place)
      if (viewer?.dataset.state === "ready" && viewer.textContent.includes(this.data.title)) {
        this.clock.begin()
        this.root.dataset.clock = "runs"
      } else this.waiting = requestAnimationFrame(look)
    }
    look()
  }
}

/** The viewer in a container of the page, whether it has a shadow around it or not. */
function viewerOf(place) {
  const container = document.querySelector(place)
  if (!container) return null
  const plain = container.querySelector(".viewer")
  if (plain) return plain
  for (const one of container.querySelectorAll("*")) {
    const inside = one.shadowRoot?.querySelector(".viewer")
    if (inside) return inside
  }
  return null
}
