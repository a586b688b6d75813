// The browser side of pages/parts/retrieval/region_panel.py: a box on a picture, drawn by mouse, touch or keys.
// A box is left, top, right, bottom in thousandths of the picture; it is told when it stands, not while it is drawn.

const STEPS = 1000

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high)
}

// Moved by some steps, without leaving the picture.
function moved([left, top, right, bottom], x, y) {
  const byX = clamp(x, -left, STEPS - right)
  const byY = clamp(y, -top, STEPS - bottom)
  return [left + byX, top + byY, right + byX, bottom + byY]
}

// Its right and lower sides moved by some steps.
function sized([left, top, right, bottom], x, y, least) {
  return [left, top, clamp(right + x, left + least, STEPS), clamp(bottom + y, top + least, STEPS)]
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

export default function ({ parentElement, data, setTriggerValue }) {
  const field = parentElement.querySelector(".region")
  const image = field.querySelector("img")
  const frame = field.querySelector(".frame")
  if (image.src !== data.source) image.src = data.source
  image.alt = data.description
  let box = data.box
  let begun = null
  let waiting = 0

  function draw() {
    frame.hidden = !box
    if (!box) return
    const [left, top, right, bottom] = box.map((steps) => `${steps / 10}%`)
    frame.style.left = left
    frame.style.top = top
    frame.style.width = `calc(${right} - ${left})`
    frame.style.height = `calc(${bottom} - ${top})`
  }

  function tell() {
    clearTimeout(waiting)
    if (box) setTriggerValue("box", box)
  }

  function at(event) {
    const area = image.getBoundingClientRect()
    return [
      clamp(Math.round(((event.clientX - area.left) / area.width) * STEPS), 0, STEPS),
      clamp(Math.round(((event.clientY - area.top) / area.height) * STEPS), 0, STEPS),
    ]
  }

  field.onpointerdown = (event) => {
    if (event.button !== 0) return
    event.preventDefault()
    field.focus()
    field.setPointerCapture(event.pointerId)
    begun = { at: at(event), before: box }
  }
  field.onpointermove = (event) => {
    if (!begun) return
    const [x, y] = at(event)
    const [fromX, fromY] = begun.at
    box = [Math.min(x, fromX), Math.min(y, fromY), Math.max(x, fromX), Math.max(y, fromY)]
    draw()
  }
  field.onpointerup = () => {
    if (!begun) return
    const { before } = begun
    begun = null
    // A click, and what is too small to be meant, changes nothing.
    if (!box || box[2] - box[0] < data.least || box[3] - box[1] < data.least) {
      box = before
      draw()
      return
    }
    tell()
  }
  field.onpointercancel = () => {
    if (!begun) return
    box = begun.before
    begun = null
    draw()
  }
  field.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey) return
    const arrow = ARROWS[event.key]
    if (event.key === "Escape" && begun) {
      field.onpointercancel()
    } else if ((event.key === "Delete" || event.key === "Backspace") && box) {
      event.preventDefault()
      clearTimeout(waiting)
      box = null
      draw()
      setTriggerValue("clear", true)
    } else if (event.key === "Enter" || arrow) {
      event.preventDefault()
      if (!box) box = [250, 250, 750, 750]
      else if (arrow) {
        const [x, y] = arrow.map((direction) => direction * (event.altKey ? 5 : 25))
        box = event.shiftKey ? sized(box, x, y, data.least) : moved(box, x, y)
      }
      draw()
      clearTimeout(waiting)
      if (event.key === "Enter") tell()
      else waiting = setTimeout(tell, 500)
    }
  }
  draw()
  return () => clearTimeout(waiting)
}
