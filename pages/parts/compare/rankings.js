// The browser side of pages/parts/compare/rankings.py: draws two rankings, the lines between shared hits, and reports clicks.
// Everything that comes from a collection is set as text or as an attribute, never as markup.

const HEIGHT = 76 // pixels of a line; rankings.css says the same
const SVG = "http://www.w3.org/2000/svg"

function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined && text !== null) made.textContent = text
  return made
}

function describe(cell) {
  return [cell.image_id, cell.modality, cell.anatomy, cell.pathology, cell.seen].filter(Boolean).join(", ")
}

function badge(cell, side, other) {
  if (cell.number === undefined) return element("span", "alone", `only in ${side}`)
  const made = element("span", "shared")
  made.append(element("b", "number", cell.number), document.createTextNode(`rank ${cell.other} in ${other}`))
  made.title = `The same image is rank ${cell.other} in ${other}`
  return made
}

function draw(cell, side, setTriggerValue) {
  const item = element("li", `cell side-${side}`)
  item.dataset.imageId = cell.image_id
  if (cell.number !== undefined) item.dataset.number = cell.number

  const rank = element("span", "rank", cell.rank)
  rank.title = `Rank ${cell.rank}`

  const open = element("button", "open")
  open.type = "button"
  open.title = `Open ${cell.image_id} large`
  open.setAttribute("aria-label", `Open large: ${describe(cell)}`)
  if (cell.source) {
    const image = element("img")
    image.src = cell.source
    image.alt = describe(cell)
    open.append(image)
  } else {
    open.append(element("span", "missing", "–"))
  }
  open.onclick = () => setTriggerValue("open", { side, row: cell.row })

  const facts = element("div", "facts")
  const first = element("div", "line")
  if (cell.word) {
    const mark = element("span", "mark", `${cell.sign} ${cell.word}`)
    mark.style.color = cell.mark
    first.append(mark)
  }
  if (cell.seen) {
    const seen = element("span", "seen", cell.seen_sign)
    seen.title = cell.seen
    first.append(seen)
  }
  const use = element("a", "use", "Query")
  use.href = cell.link
  use.title = "Use as query"
  use.setAttribute("aria-label", `Use as query: ${cell.image_id}`)
  use.onclick = (event) => {
    // With a modifier key the link opens a tab of its own, as links do.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    setTriggerValue("query", cell.row)
  }
  first.append(use)
  const second = element("div", "line label")
  const modality = element("span", "modality", cell.modality)
  modality.style.setProperty("--dot", cell.color)
  second.append(modality, element("span", "value", `${cell.anatomy} · ${cell.pathology}`))
  second.title = describe(cell)
  const third = element("div", "line")
  third.append(badge(cell, side, side === "A" ? "B" : "A"))
  if (cell.similarity !== null) {
    const similarity = element("span", "similarity", cell.similarity)
    similarity.title = `Similarity in ${side} (cosine); ${side === "A" ? "B" : "A"} has another scale`
    third.append(similarity)
  }
  facts.append(first, second, third)
  item.append(rank, open, facts)
  return item
}

function lines(data, length) {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", `0 0 100 ${length * HEIGHT}`)
  svg.setAttribute("preserveAspectRatio", "none")
  svg.setAttribute("aria-hidden", "true")
  svg.style.height = `${length * HEIGHT}px`
  for (const [here, there, number] of data.links) {
    const path = document.createElementNS(SVG, "path")
    const [y, z] = [(here + 0.5) * HEIGHT, (there + 0.5) * HEIGHT]
    path.setAttribute("d", `M 0 ${y} C 45 ${y}, 55 ${z}, 100 ${z}`)
    path.dataset.number = number
    svg.append(path)
  }
  return svg
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".rankings")
  const heads = ["A", "B"].map((side) => {
    const head = element("h4", `head side-${side}`)
    const letter = element("i", "letter", side)
    letter.style.background = data.colors[side]
    head.append(letter, element("span", "", data.names[side]))
    return head
  })
  const lists = [
    ["A", data.a],
    ["B", data.b],
  ].map(([side, cells]) => {
    const list = element("ol", "list")
    list.setAttribute("aria-label", `Hits of ${side}, ${data.names[side]}`)
    list.append(...cells.map((cell) => draw(cell, side, setTriggerValue)))
    return list
  })
  const between = element("div", "between")
  between.append(lines(data, Math.max(data.a.length, data.b.length)))
  const title = element("div", "head middle", data.links.length ? "shared" : "none shared")
  root.replaceChildren(heads[0], title, heads[1], lists[0], between, lists[1])

  // Pointing at a shared hit, or reaching it by keyboard, sets its line and its counterpart off.
  const marked = root.querySelectorAll("[data-number]")
  const point = (number) => {
    root.classList.toggle("pointing", number !== null)
    for (const one of marked) one.classList.toggle("lit", one.dataset.number === number)
  }
  for (const one of root.querySelectorAll("li[data-number]")) {
    one.onmouseenter = () => point(one.dataset.number)
    one.onmouseleave = () => point(null)
    one.onfocusin = () => point(one.dataset.number)
    one.onfocusout = () => point(null)
  }
}
