/*
 * Reading: get, getBatch, head, has, downloaded, seek.
 *
 * Invariant: arguments are checked before anything happens; faults come through the callback or the
 * promise.
 * Source: hypercore@9.12.0 index.js.
 */
'use strict'

const INNER = require('../kit/inner')
const Call = require('./call')
const check = require('../kit/check')
const errors = require('../kit/errors')
const native = require('../core/native')
const { binary } = require('../kit/codec')
const { soon } = require('../core/queue')
const { get, getPromise, codecOf, tokenOf } = require('./get')
const { whenAvailable, isIfAvailable, cancellable } = require('./wait')

const methods = {
  // Options: wait, ifAvailable, onwait, timeout, signal, valueEncoding. With a callback it gives a
  // symbol for `cancel`.
  get (index, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    return typeof cb === 'function' ? get(this, index, opts, cb) : getPromise(this, index, opts)
  },

  // All blocks from `start` to before `end`. Options: wait, timeout, signal, valueEncoding.
  getBatch (start, end, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return cancellable(false, (done) => this.getBatch(start, end, opts, done))

    const codec = codecOf(this, opts)
    const call = new Call(this, 'getBatch', { start, end }, opts, (err, blocks) => err ? cb(err) : decodeAll(codec, blocks, cb))
    call.attempt(() => check.range(start, end))
    call.whenOpen(() => getBatch(call, opts))
    return call.token
  },

  // The last block. Options: update (look for a newer one first), and those of `update` and `get`.
  head (opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return cancellable(false, (done) => this.head(opts, done))
    // Both steps go by one token, one after the other.
    opts = { ...opts, cancel: tokenOf(opts) }
    // That nobody has a newer one is no reason not to give what is here.
    const last = (err) => {
      if (err && err.code !== 'ENOUPDATE') cb(err)
      else if (this.length === 0) cb(errors.empty())
      else this.get(this.length - 1, opts, cb)
    }
    if (opts.update) return this.update(opts, last)
    const call = new Call(this, 'head', {}, opts, last)
    call.whenOpen(() => call.answer(null))
    return call.token
  },

  // Whether block `start`, or all from `start` to before `end`, are here. Answers at once; a
  // callback is told as well.
  has (start, end, cb) {
    if (typeof end === 'function') [end, cb] = [undefined, end]
    return atOnce(cb, false, () => {
      check.index(start)
      if (end === undefined || end === null) end = start + 1
      check.range(start, end)
      return this.opened && native.feedHas(this[INNER].handle, start, end)
    })
  },

  // How many blocks of the range, or of all, are here. An `end` of 0 means no end (Q21).
  downloaded (start, end, cb) {
    if (typeof start === 'function') [start, cb] = [undefined, start]
    if (typeof end === 'function') [end, cb] = [undefined, end]
    return atOnce(cb, 0, () => {
      if (!start || start < 0) start = 0
      if (!end) end = Math.max(this.length, check.index(start))
      if (!check.isIndex(start) || !check.isIndex(end)) throw errors.badRange()
      return this.opened && start < end ? native.feedDownloaded(this[INNER].handle, start, end) : 0
    })
  },

  // The block that holds byte `bytes` of the feed, and the offset in it: cb(err, index, offset), or
  // a promise of [index, offset]. Options: wait, ifAvailable, start, end, hash, timeout, signal.
  seek (bytes, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') {
      return cancellable(false, (done) => this.seek(bytes, opts, (err, index, offset) => done(err, [index, offset])))
    }
    const { start = 0, end = -1, wait, hash } = opts || {}
    const ifAvailable = isIfAvailable(this, opts)
    const call = new Call(this, 'seek', { bytes, start, end: end || -1 }, opts, cb)
    call.attempt(() => {
      check.index(bytes)
      if (!check.isIndex(start) || (end !== -1 && !check.isIndex(end))) throw errors.badRange()
    })
    call.whenOpen(() => {
      const { handle } = this[INNER]
      const op = call.ask((handle, op) => native.feedSeek(handle, op, bytes, start, call.what.end, wait !== false, hash !== false))
      if (ifAvailable) whenAvailable(call, 'get', () => native.feedSeekAvailable(handle, op), errors.seekNotAvailable)
    })
    return call.token
  }
}

// ## getBatch

function getBatch (call, opts) {
  const { feed, what: { start, end } } = call
  if (!feed.readable) return call.answer(errors.closed())
  if (start === end) return call.answer(null, [])

  const finish = (err, data, sizes) => err ? call.finish(err) : call.finish(null, split(data, sizes))
  call.ask((handle, op) => native.feedGetBatch(handle, op, start, end, !opts || opts.wait !== false), finish)
}

// Blocks come as one piece.
function split (data, sizes) {
  let end = 0
  return sizes.map((size) => {
    end += size
    return data.subarray(end - size, end)
  })
}

// ## Help

function decodeAll (codec, blocks, cb) {
  let values
  try {
    values = codec === binary ? blocks : blocks.map((block) => codec.decode(block))
  } catch (err) {
    return cb(err)
  }
  cb(null, values)
}

// The answer of `ask` for a method that answers at once; a fault goes to the callback, and
// `otherwise` is given.
function atOnce (cb, otherwise, ask) {
  const isTold = typeof cb === 'function'
  try {
    const value = ask()
    if (isTold) soon(cb, null, value)
    return value
  } catch (err) {
    if (isTold) soon(cb, err)
    return otherwise
  }
}

module.exports = methods
