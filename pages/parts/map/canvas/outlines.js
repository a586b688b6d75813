// The outlines of a selection: as they are drawn, and as texts in the page's address (pages/parts/map/selection.py).

/** A lasso keeps at most so many corners, as the server does. */
const CORNERS = 40
const DECIMALS = 5

const PATTERN = /^(-?)(box|lasso):(.+)$/

/**
 * A closed outline without its smallest corners: the one that spans the smallest triangle with its neighbors goes
 * first, until few are left (Visvalingam and Whyatt, The Cartographic Journal 30(1), 1993).
 *
 * @param {number[][]} corners - Places, in order.
 */
export function simplified(corners) {
  // Thinned first: a slow hand leaves thousands, and each round looks at all of them.
  const every = Math.max(1, Math.floor(corners.length / 600))
  const kept = corners.filter((_, at) => at % every === 0)
  while (kept.length > CORNERS) {
    let smallest = Infinity
    let which = 0
    for (let at = 0; at < kept.length; at++) {
      const [x, y] = kept[at]
      const [x0, y0] = kept[(at + kept.length - 1) % kept.length]
      const [x1, y1] = kept[(at + 1) % kept.length]
      const area = Math.abs((x0 - x) * (y1 - y) - (x1 - x) * (y0 - y))
      if (area < smallest) {
        smallest = area
        which = at
      }
    }
    kept.splice(which, 1)
  }
  return kept
}

/**
 * The text of an outline; corners are places. One that takes away begins with a minus, and one on the map of another
 * encoder than the open one names it.
 */
export function toText(kind, corners, { takesAway, map }) {
  const numbers = corners.flat().map((number) => String(Number(number.toFixed(DECIMALS))))
  return `${takesAway ? "-" : ""}${map ? `${map}@` : ""}${kind}:${numbers.join(",")}`
}

/** The name of a map of three dimensions as it is seen: with its two angles, if it is turned. */
export function seenFrom({ encoder, name }, [about, over], plain) {
  return about || over ? `${encoder}/${name}/${about}/${over}` : plain
}

/** From which side a map is seen by its name; null where it is not that map. */
export function turnIn(map, { encoder, name }) {
  const [whose, called, about, over] = map.split("/")
  return whose === encoder && called === name && over !== undefined ? [Number(about), Number(over)] : null
}

/** On whose map an outline is, "" for the open encoder's, and its text without that. */
export function ofMap(text) {
  const match = /^(-?)(?:([^@:,]+)@)?(.*)$/s.exec(text)
  return [match[2] ?? "", `${match[1]}${match[3]}`]
}

/** The outline of a text, its corners as places; null for an image, or what is no outline. */
export function fromText(text) {
  const match = PATTERN.exec(text)
  if (!match) return null
  const numbers = match[3].split(",").map(Number)
  if (numbers.some((number) => !Number.isFinite(number)) || numbers.length < 4) return null
  const corners = []
  for (let at = 0; at + 1 < numbers.length; at += 2) corners.push([numbers[at], numbers[at + 1]])
  if (match[2] === "box") {
    const [[x0, y0], [x1, y1]] = corners
    return { takesAway: match[1] === "-", corners: [[x0, y0], [x1, y0], [x1, y1], [x0, y1]] }
  }
  return { takesAway: match[1] === "-", corners }
}
