// What the viewer has fetched, by address: pictures, facts, and what encoders saw; the last few, within a limit of bytes.
//
// Owns the fetching. What fails is not kept, so that it is asked for again.

import { Picture } from "./picture.js"

const MOST_BYTES = 256 * 2 ** 20
const MOST_TOLD = 400

/** Thrown where the server says in a sentence why there is nothing. */
export class Refused extends Error {}

async function answered(address) {
  const answer = await fetch(address, { credentials: "same-origin" })
  if (answer.ok) return answer
  const kind = answer.headers.get("content-type") ?? ""
  const text = kind.startsWith("text/plain") ? await answer.text() : ""
  throw new Refused(text || `The server answered ${answer.status}. Reload the page.`)
}

const pictures = new Map()
const told = new Map()

function latest(store, address) {
  const kept = store.get(address)
  if (kept) {
    store.delete(address)
    store.set(address, kept)
  }
  return kept
}

/** The picture of an address. */
export function pictureOf(address) {
  const kept = latest(pictures, address)
  if (kept) return kept.promise
  const entry = { bytes: 0 }
  entry.promise = answered(address).then(async (answer) => {
    const picture = new Picture(await answer.arrayBuffer())
    entry.bytes = picture.bytes
    let sum = [...pictures.values()].reduce((all, one) => all + one.bytes, 0)
    for (const [oldest, one] of pictures) {
      if (sum <= MOST_BYTES || one === entry) break
      pictures.delete(oldest)
      sum -= one.bytes
    }
    return picture
  })
  pictures.set(address, entry)
  entry.promise.catch(() => pictures.delete(address))
  return entry.promise
}

function small(address, read) {
  const kept = latest(told, address)
  if (kept) return kept
  const promise = answered(address).then(read)
  told.set(address, promise)
  promise.catch(() => told.delete(address))
  while (told.size > MOST_TOLD) told.delete(told.keys().next().value)
  return promise
}

/** What is said of an image. */
export function factsOf(address) {
  return small(address, (answer) => answer.json())
}

/** What an encoder saw: its head, and a canvas with the pixels. */
export function seenOf(address) {
  return small(address, async (answer) => {
    const buffer = await answer.arrayBuffer()
    const length = new DataView(buffer).getUint32(0, true)
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
    const pixels = new Uint8Array(buffer, 4 + length)
    const [height, width, channels = 1] = head.shape
    const canvas = document.createElement("canvas")
    canvas.width = width
    canvas.height = height
    const context = canvas.getContext("2d")
    const image = context.createImageData(width, height)
    for (let place = 0; place < width * height; place++) {
      for (let channel = 0; channel < 3; channel++) {
        image.data[4 * place + channel] = pixels[channels === 3 ? 3 * place + channel : place]
      }
      image.data[4 * place + 3] = 255
    }
    context.putImageData(image, 0, 0)
    return { head, canvas }
  })
}
