/*
 * Batcher: makes batches of appends.
 *
 * ```text
 * append a -> batch 1 goes to the core at once
 * append b, append c while batch 1 is unanswered -> batch 2: b and c, one write, one signature, one event
 * ```
 * Callbacks come in the order of the appends, each with the number of its first block. With a
 * `check`, each append of a batch is asked about, one after the other; one that is refused is left
 * out, and is answered in its turn.
 *
 * Invariant: what was pushed is sent once, in order; what a callback throws holds nothing up.
 * Source: atomic-batcher@1.0.2, with the difference that a throwing callback jams nothing.
 */
'use strict'

const { each } = require('../kit/async')

class Batcher {
  #send
  #check
  #running = 0
  #calls = []

  // `send(blocks, cb)` hands a batch to the core; `cb(err, seq)` gets the number of its first
  // block. `check(values, offset, done)` or null; `offset` is the place of its first value in the
  // batch.
  constructor (send, check) {
    this.#send = send
    this.#check = check
  }

  // Something that was pushed is not answered yet.
  get isBusy () {
    return this.#running > 0
  }

  // `values` are for the check.
  push (blocks, values, cb) {
    this.#calls.push({ blocks, values, cb, offset: 0, err: null })
    if (this.#running === 0) this.flush()
  }

  // Sends what is collected, without waiting for the batch before it.
  flush () {
    const calls = this.#calls
    if (calls.length === 0) return
    this.#calls = []
    this.#running++
    if (this.#check === null) this.#go(calls)
    else this.#ask(calls, 0, 0)
  }

  // Asks about the calls from number `i` on; `offset` blocks before it are accepted.
  #ask (calls, i, offset) {
    if (i === calls.length) return this.#go(calls)
    const call = calls[i]
    this.#check(call.values, offset, (err) => {
      call.err = err
      this.#ask(calls, i + 1, err ? offset : offset + call.blocks.length)
    })
  }

  #go (calls) {
    let blocks = null
    for (const call of calls) {
      if (call.err !== null) continue
      if (blocks === null) blocks = call.blocks
      else {
        call.offset = blocks.length
        for (const block of call.blocks) blocks.push(block)
      }
    }
    if (blocks === null) this.#answered(calls, null, 0)
    else this.#send(blocks, (err, seq) => this.#answered(calls, err, seq))
  }

  #answered (calls, err, seq) {
    try {
      each(calls, (call) => {
        if (call.err || err) call.cb(call.err || err)
        else call.cb(null, seq + call.offset)
      })
    } finally {
      if (--this.#running === 0) this.flush()
    }
  }
}

module.exports = Batcher
