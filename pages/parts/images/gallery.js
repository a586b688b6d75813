// The browser side of pages/parts/images/gallery.py: draws cards and reports clicks.
// Everything that comes from a collection is set as text or as an attribute, never as markup.

function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined && text !== null) made.textContent = text
  return made
}

function describe(card) {
  const said = (card.said || []).map((mark) => mark.text)
  const values = card.lines.map((line) => line.value)
  const parts = [card.image_id, card.modality, ...values, card.found, card.seen, ...said]
  return parts.filter(Boolean).join(", ")
}

// What the number beside a hit is: a word before it, the number, and what it means.
function numberOf(card) {
  if (card.text_similarity !== undefined) {
    return ["text", card.text_similarity, "Text-image cosine (on another scale than the similarity of two images)"]
  }
  if (card.composed_similarity !== undefined) {
    return ["", card.composed_similarity, "Cosine with the composed query (on a scale of its own)"]
  }
  return ["", card.similarity, "Similarity (cosine; 1 = same direction)"]
}

const MARKS = [
  { kind: "like", sign: "+", text: "Like this", key: "+" },
  { kind: "unlike", sign: "−", text: "Not like that", key: "-" },
]

// Marks on a hit: two buttons, and the keys + and - while anything of the card has the focus.
function drawMarks(item, card, setTriggerValue) {
  const marks = element("div", "marking")
  for (const mark of MARKS) {
    const button = element("button", `set set-${mark.kind}`)
    button.type = "button"
    button.append(element("span", "sign", mark.sign), element("span", "said", mark.text))
    button.title = `${mark.text} (${mark.key})`
    button.setAttribute("aria-label", `${mark.text}: ${card.image_id}`)
    button.onclick = () => setTriggerValue(mark.kind, card.row)
    marks.append(button)
  }
  item.append(marks)
  item.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const mark = MARKS.find((one) => one.key === event.key || (one.kind === "unlike" && event.key === "−"))
    if (!mark) return
    event.preventDefault()
    setTriggerValue(mark.kind, card.row)
  })
}

// Where in the image it was found, in thousandths of its sides: a frame that lies on it as the image lies in its place.
function outline(image, box) {
  const space = "http://www.w3.org/2000/svg"
  const frame = document.createElementNS(space, "svg")
  frame.setAttribute("class", "found-box")
  frame.setAttribute("aria-hidden", "true")
  const place = () => {
    const [width, height] = [image.naturalWidth, image.naturalHeight]
    if (!width || !height) return
    frame.setAttribute("viewBox", `0 0 ${width} ${height}`)
    const [left, top, right, bottom] = box
    frame.replaceChildren(
      ...["under", "over"].map((name) => {
        const line = document.createElementNS(space, "rect")
        line.setAttribute("class", name)
        line.setAttribute("x", (left * width) / 1000)
        line.setAttribute("y", (top * height) / 1000)
        line.setAttribute("width", ((right - left) * width) / 1000)
        line.setAttribute("height", ((bottom - top) * height) / 1000)
        return line
      }),
    )
  }
  if (image.complete) place()
  image.addEventListener("load", place)
  return frame
}

function draw(card, setTriggerValue, kind = "li", opens = "open") {
  const item = element(kind, "card")
  item.dataset.imageId = card.image_id

  const open = element("button", "open")
  open.type = "button"
  open.title = `Open ${card.image_id} large`
  open.setAttribute("aria-label", `Open large: ${describe(card)}`)
  if (card.source) {
    const image = element("img")
    image.src = card.source
    image.alt = describe(card)
    open.append(image)
    if (card.box && card.box.length) open.append(outline(image, card.box))
  } else {
    const missing = element("span", "missing", "No thumbnail")
    missing.title = "Not made yet, or the image could not be read"
    open.append(missing)
  }
  if (card.seen) {
    const seen = element("span", "seen", card.seen_sign)
    seen.title = card.seen
    open.append(seen)
    item.dataset.seen = card.seen
  }
  open.onclick = () => setTriggerValue(opens, opens === "pair" ? card.pair : card.row)

  const head = element("div", "head")
  if (card.role) head.append(element("span", "role", card.role))
  if (card.rank !== undefined) {
    const rank = element("span", "rank", card.rank)
    rank.title = `Rank ${card.rank}`
    const [word, number, title] = numberOf(card)
    const similarity = element("span", "similarity", word ? `${word} ${number}` : number)
    similarity.title = title
    head.append(rank, similarity)
  }
  const modality = element("span", "modality", card.modality || "–")
  modality.title = "Modality"
  modality.style.setProperty("--dot", card.color)
  head.append(modality)

  const use = element("a", "use", "Query")
  use.href = card.link
  use.title = "Use as query"
  use.setAttribute("aria-label", `Use as query: ${card.image_id}`)
  use.onclick = (event) => {
    // With a modifier key the link opens a tab of its own, as links do.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    setTriggerValue("query", card.row)
  }
  head.append(use)

  item.append(open, head)
  for (const line of card.lines) {
    const row = element("div", line.known ? "line" : "line unknown")
    row.title = `${line.name}: ${line.value}${line.word ? ` (${line.word})` : ""}`
    if (line.sign) {
      const sign = element("span", "sign", line.sign)
      sign.style.color = line.color
      row.append(sign)
    }
    row.append(element("span", "value", line.value))
    if (line.word && line.known) {
      const word = element("span", "word", line.word)
      word.style.color = line.color
      row.append(word)
    }
    item.append(row)
  }
  if (card.said && card.said.length) {
    const marks = element("div", "marks")
    for (const mark of card.said) {
      const chip = element("span", `mark mark-${mark.kind}`, mark.text)
      chip.title = mark.title
      marks.append(chip)
    }
    item.append(marks)
  }
  if (card.found) item.append(element("div", "found", `\u25a2 ${card.found}`))
  if (card.note && kind === "li") item.append(element("div", "note", card.note))
  return item
}

function drawPair(pair, setTriggerValue) {
  const item = element("li", "pair")
  item.append(...pair.map((card) => draw(card, setTriggerValue, "div", "pair")))
  if (pair[0].note) item.append(element("div", "note", pair[0].note))
  return item
}

export default function ({ parentElement, data, setTriggerValue }) {
  const grid = parentElement.querySelector("ol.grid")
  grid.style.setProperty("--columns", data.columns)
  const pairs = (data.pairs || []).map((pair) => drawPair(pair, setTriggerValue))
  const cards = data.cards.map((card) => {
    const item = draw(card, setTriggerValue)
    if (data.marking) drawMarks(item, card, setTriggerValue)
    return item
  })
  grid.replaceChildren(...pairs, ...cards)
}
