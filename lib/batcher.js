/*
 * Batcher: makes batches of appends.
 *
 * ```text
 * append a -> batch 1 goes to the core at once
 * append b, append c while batch 1 is unanswered -> batch 2: b and c, one write, one signature, one event
 * ```
 * Callbacks come in the order of the appends, each with the number of its first block.
 *
 * Invariant: `blocks` that were pushed are sent once, in order; what a callback throws holds nothing up.
 * Source: atomic-batcher@1.0.2, with the difference that a throwing callback jams nothing.
 */
'use strict'

const { each } = require('./async')

class Batcher {
  #send
  #running = 0
  #blocks = []
  #calls = []

  // `send(blocks, cb)` hands a batch to the core; `cb(err, seq)` gets the number of its first block.
  constructor (send) {
    this.#send = send
  }

  push (blocks, cb) {
    this.#calls.push({ cb, offset: this.#blocks.length })
    if (this.#blocks.length === 0) this.#blocks = blocks
    else for (const block of blocks) this.#blocks.push(block)
    if (this.#running === 0) this.flush()
  }

  // Sends what is collected, without waiting for the batch before it.
  flush () {
    const calls = this.#calls
    const blocks = this.#blocks
    if (calls.length === 0) return
    this.#calls = []
    this.#blocks = []
    this.#running++
    this.#send(blocks, (err, seq) => this.#answered(calls, err, seq))
  }

  #answered (calls, err, seq) {
    try {
      each(calls, ({ cb, offset }) => err ? cb(err) : cb(null, seq + offset))
    } finally {
      if (--this.#running === 0) this.flush()
    }
  }
}

module.exports = Batcher
