/*
 * Read stream: the blocks of a range, in order, as a Node Readable of values.
 *
 * Options: start, end (exclusive), snapshot (end at the length at the start; default), tail (start
 * there), live (never end), wait, ifAvailable, timeout, valueEncoding, batch (how many blocks to
 * ask for ahead), signal. It asks for up to `batch` blocks ahead of the reader, never beyond the
 * first one that does not exist yet. Without a snapshot the end is looked for when the reader has
 * taken all before it, so nothing is pushed ahead of the reader then.
 *
 * Invariant: values come in the order of the blocks; a block that cannot be had ends the stream
 * with its error.
 * Source: hypercore-streams@1.0.1 index.js.
 */
'use strict'

const { Readable, addAbortSignal } = require('stream')
const check = require('../kit/check')
const { limits: { AHEAD } } = require('../core/border')
const errors = require('../kit/errors')

class ReadStream extends Readable {
  #opened = false
  #asked = 0
  #ahead
  #inflight = [] // { token, err, value, here } in order
  #room = false
  #failed = null // the error of the block whose turn it is

  constructor (feed, opts) {
    opts = opts || {}
    super({ objectMode: true, highWaterMark: opts.snapshot === false ? 0 : AHEAD })
    this.feed = feed
    this.start = 0
    this.end = -1
    this.live = !!opts.live
    this.snapshot = opts.snapshot !== false
    this.tail = !!opts.tail
    this.options = {
      wait: opts.wait !== false,
      ifAvailable: !!opts.ifAvailable,
      valueEncoding: opts.valueEncoding,
      timeout: opts.timeout === undefined && this.live ? 0 : opts.timeout
    }
    this.#ahead = opts.batch >= 1 ? Math.floor(opts.batch) : AHEAD
    try {
      this.#limit(opts)
    } catch (err) {
      this.destroy(err)
    }
    this.index = this.start
  }

  // An end below 0 or without end is none.
  #limit ({ start, end, timeout, signal }) {
    if (start) this.start = check.index(start)
    if (end >= 0 && end !== Infinity) this.end = check.index(end)
    check.milliseconds(timeout, 0)
    if (check.signal(signal) !== null) addAbortSignal(signal, this)
  }

  _read () {
    if (this.#failed !== null) return
    this.#room = true
    if (this.#opened) return this.#hand()
    this.feed.open((err) => {
      if (err) return this.destroy(err)
      this.#open()
      this.#fill()
    })
  }

  _destroy (err, cb) {
    for (const { token, here } of this.#inflight) if (!here) this.feed.cancel(token)
    this.#inflight = []
    cb(err)
  }

  // Settles the range, now that the length is known.
  #open () {
    if (this.#opened) return
    this.#opened = true
    const { length } = this.feed
    if (this.end === -1) {
      if (this.live) this.end = Infinity
      else if (this.snapshot) this.end = length
    }
    if (this.tail) this.start = length
    this.index = this.#asked = this.start
  }

  get #last () {
    return this.end === -1 ? this.feed.length : this.end
  }

  #fill () {
    while (this.#room && !this.destroyed && this.#mayAsk()) this.#ask()
    if (this.#room && !this.destroyed && this.#inflight.length === 0 && this.index >= this.#last) {
      this.#room = false
      this.push(null)
    }
  }

  #mayAsk () {
    if (this.#asked >= this.#last) return false
    return this.#inflight.length === 0 || (this.#inflight.length < this.#ahead && this.#asked < this.feed.length)
  }

  #ask () {
    const entry = { token: null, err: null, value: undefined, here: false }
    this.#inflight.push(entry)
    entry.token = this.feed.get(this.#asked++, this.options, (err, value) => {
      entry.here = true
      entry.value = value
      entry.err = err || (value === null || value === undefined ? errors.nullBlock() : null)
      if (!this.destroyed) this.#hand()
    })
  }

  // Pushes what is here, in order. A block that cannot be had ends the stream when its turn comes,
  // after all before it.
  #hand () {
    while (this.#room && this.#inflight.length > 0 && this.#inflight[0].here) {
      const { err, value } = this.#inflight.shift()
      if (err) return this.#fail(err)
      this.index++
      this.#room = this.push(value)
    }
    this.#fill()
  }

  // What was pushed is read first: to destroy a stream throws away what it holds.
  #fail (err) {
    this.#room = false
    this.#failed = err
    if (this.readableLength === 0) this.destroy(err)
  }

  read (size) {
    const value = super.read(size)
    if (this.#failed !== null && this.readableLength === 0) process.nextTick(() => this.destroy(this.#failed))
    return value
  }
}

module.exports = ReadStream
