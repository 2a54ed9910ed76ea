/*
 * BlockRead: a block that is read from a JavaScript storage, step by step, as the core says, without a Request.
 *
 * ```text
 * nodes -> nodes -> ... -> the block, which must have the leaf's hash
 *   '--------'--------------'--> what is not there, or is not right, is got in the plain way: the core judges
 * ```
 * Until it is over it is among what is pending. When the feed is closed it is given up.
 *
 * Invariant: the callback runs once, never before `read` returned, and behind all events that came before.
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const { binary, bytes } = require('../kit/codec')
const { native, soon, ask, behind } = require('../core/engine')

// What to read next on the way to a block, and where: offset, size, first node.
const [NOTHING, BLOCK] = [0, 1]
const PLACE = new Float64Array(3)

class BlockRead {
  // `getPlainly(feed, index, opts, codec, cb)` is for what this does not lead to.
  constructor (feed, index, opts, codec, cb, getPlainly) {
    const { reads } = feed[INNER]
    this.feed = feed
    this.index = index
    this.opts = opts
    this.codec = codec
    this.cb = cb
    this.getPlainly = getPlainly
    this.since = performance.now()
    this.over = false
    this.place = reads.length
    this.step = NOTHING
    this.size = 0
    this.first = 0
    reads.push(this)
  }

  get kind () {
    return 'get'
  }

  get what () {
    return { index: this.index }
  }

  get isLocal () {
    return true
  }

  // Reads from PLACE, then whatever is next.
  read (step) {
    this.step = step
    this.size = PLACE[1]
    this.first = PLACE[2]
    let isOver = false
    let isEarly = true
    const take = (err, data) => {
      if (isOver) return
      isOver = true
      if (isEarly) soon(() => this.#judge(err, data))
      else behind(() => this.#judge(err, data))
    }
    try {
      ask(() => this.feed[INNER].js.read(step === BLOCK, PLACE[0], this.size, take))
    } catch (err) {
      take(errors.foreign(err))
    }
    isEarly = false
  }

  #judge (err, data) {
    if (this.over) return
    if (err) return this.#finish(err)
    const { feed, index, opts, codec, cb } = this
    if (ArrayBuffer.isView(data) && data instanceof Uint8Array && data.length === this.size) {
      if (this.step === BLOCK) {
        if (matches(feed[INNER].handle, index, data)) return this.#succeed(bytes(data))
      } else if (native.feedRemember(feed[INNER].handle, this.first, data)) {
        const step = nextRead(feed, index, opts)
        if (step !== NOTHING) return this.read(step)
      }
    }
    this.#leave()
    this.getPlainly(feed, index, opts, codec, cb)
  }

  #succeed (block) {
    let value
    try {
      value = this.codec === binary ? block : this.codec.decode(block)
    } catch (err) {
      return this.#finish(err)
    }
    this.#leave()
    this.cb(null, value)
  }

  #finish (err) {
    this.#leave()
    this.cb(err)
  }

  // Is no longer pending; the last one takes its place.
  #leave () {
    const { reads } = this.feed[INNER]
    const last = reads.pop()
    this.over = true
    if (last === this) return
    reads[this.place] = last
    last.place = this.place
  }

  giveUp () {
    if (!this.over) this.#finish(errors.closed())
  }

  // All that goes on, oldest first.
  static of (feed) {
    return [...feed[INNER].reads].sort((a, b) => a.since - b.since)
  }
}

// Small arrays live inside V8's heap, and to look at one the core would have it moved out, at five times the price of a copy.
const SMALL = new Uint8Array(new ArrayBuffer(64))

function matches (handle, index, data) {
  if (data.length > SMALL.length) return native.feedMatches(handle, index, data, data.length)
  SMALL.set(data)
  return native.feedMatches(handle, index, SMALL, data.length)
}

// NOTHING means the plain way: the block is not here, or not in a JavaScript storage. Who waits with a timeout waits as a Request.
function nextRead (feed, index, opts) {
  const { js, handle, timeout } = feed[INNER]
  if (js === null || timeout > 0 || (opts && opts.timeout)) return NOTHING
  return native.feedNextRead(handle, index, PLACE)
}

module.exports = Object.assign(BlockRead, { NOTHING, nextRead })
