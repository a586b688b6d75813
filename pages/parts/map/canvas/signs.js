// The signs of categories, so that color never stands alone; on the map, and in the legend.

export const SIGNS = [
  "circle",
  "diamond",
  "square",
  "triangle",
  "plus",
  "cross",
  "star",
  "wedge",
  "pentagon",
  "hourglass",
  "hexagon",
  "bowtie",
]

/** What has no category of its own. */
export const NO_SIGN = "ring"

const OUTLINES = {
  diamond: [[0, -1.15], [1, 0], [0, 1.15], [-1, 0]],
  square: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
  triangle: [[0, -1.1], [1.05, 0.85], [-1.05, 0.85]],
  wedge: [[0, 1.1], [1.05, -0.85], [-1.05, -0.85]],
  hourglass: [[-0.9, -1], [0.9, -1], [-0.9, 1], [0.9, 1]],
  bowtie: [[-1, -0.9], [-1, 0.9], [1, -0.9], [1, 0.9]],
  plus: cross(0),
  cross: cross(Math.PI / 4),
  star: radial(10, (at) => (at % 2 ? 0.5 : 1.2)),
  pentagon: radial(5, () => 1.08),
  hexagon: radial(6, () => 1.05),
}

function radial(corners, reach) {
  return Array.from({ length: corners }, (_, at) => {
    const angle = -Math.PI / 2 + (2 * Math.PI * at) / corners
    return [Math.cos(angle) * reach(at), Math.sin(angle) * reach(at)]
  })
}

function cross(turn) {
  const arm = 0.38
  const corners = [[-arm, -1.1], [arm, -1.1], [arm, -arm], [1.1, -arm], [1.1, arm], [arm, arm], [arm, 1.1], [-arm, 1.1]]
  const all = [...corners, [-arm, arm], [-1.1, arm], [-1.1, -arm], [-arm, -arm]]
  return all.map(([x, y]) => [x * Math.cos(turn) - y * Math.sin(turn), x * Math.sin(turn) + y * Math.cos(turn)])
}

/** Draw one sign, with an edge around it. */
export function drawSign(context, sign, x, y, radius, color, edge) {
  context.beginPath()
  if (sign in OUTLINES) {
    OUTLINES[sign].forEach(([dx, dy], at) => context[at ? "lineTo" : "moveTo"](x + dx * radius, y + dy * radius))
    context.closePath()
  } else {
    context.arc(x, y, sign === NO_SIGN ? radius * 0.8 : radius, 0, 2 * Math.PI)
  }
  context.lineJoin = "round"
  if (sign === NO_SIGN) {
    context.lineWidth = Math.max(1, radius * 0.45)
    context.strokeStyle = color
    context.stroke()
    return
  }
  if (edge) {
    context.lineWidth = Math.max(1, radius * 0.4)
    context.strokeStyle = edge
    context.stroke()
  }
  context.fillStyle = color
  context.fill()
}
