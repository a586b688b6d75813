// The hits of a case: small pictures with their labels, set as text; a click says which.

export default function ({ parentElement, data, setTriggerValue }) {
  const list = parentElement.querySelector(".hits")
  const make = (tag, text) => Object.assign(document.createElement(tag), text === undefined ? {} : { textContent: text })
  // In a low window they fill two rows; beyond ten the page scrolls.
  list.style.setProperty("--beside", Math.min(Math.max(Math.ceil(data.cards.length / 2), 3), 5))
  list.replaceChildren(...data.cards.map((card, at) => {
    const item = make("li"), button = make("button"), image = make("img")
    button.type = "button"
    button.disabled = !card.source
    button.title = "Open beside the case"
    button.setAttribute("aria-label", `${card.said}: ${card.label}. Open beside the case`)
    button.onclick = () => setTriggerValue("open", at)
    image.alt = ""
    if (card.source) { image.src = card.source; button.append(image) }
    item.append(button, make("b", card.label), make("small", card.said))
    return item
  }))
}
