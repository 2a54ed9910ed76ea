/*
 * Marks: a set of whole numbers that costs a bit for each, where they lie close together.
 *
 * ```text
 * add(7), add(9000), take(8) -> [9000]       7 stays
 * ```
 */
'use strict'

// Numbers on a page.
const PAGE = 8192

class Marks {
  #pages = new Map() // number of the page -> its bits

  add (number) {
    const place = Math.floor(number / PAGE)
    let page = this.#pages.get(place)
    if (page === undefined) this.#pages.set(place, page = new Uint8Array(PAGE / 8))
    const at = number % PAGE
    page[at >> 3] |= 1 << (at & 7)
  }

  // All from `start` on, in no order; they are no longer in it.
  take (start) {
    const taken = []
    for (const [place, page] of this.#pages) {
      const first = place * PAGE
      if (first + PAGE <= start) continue
      for (let at = Math.max(0, start - first); at < PAGE; at++) {
        const bit = 1 << (at & 7)
        if ((page[at >> 3] & bit) === 0) continue
        page[at >> 3] &= ~bit
        taken.push(first + at)
      }
      if (first >= start) this.#pages.delete(place)
    }
    return taken
  }
}

module.exports = Marks
