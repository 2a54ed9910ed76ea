/*
 * Reading: get, getBatch, head, has, downloaded, seek.
 *
 * A block that is here is read at once and handed over in the next tick, without a Request, from a JavaScript storage as a BlockRead; all
 * else waits as a Request.
 *
 * Invariant: arguments are checked before anything happens; faults come through the callback or the promise.
 * Source: hypercore@9.12.0 index.js.
 */
'use strict'

const INNER = require('../kit/inner')
const Request = require('./request')
const BlockRead = require('./block-read')
const check = require('../kit/check')
const errors = require('../kit/errors')
const { feedCodec, binary } = require('../kit/codec')
const { promised } = require('../kit/async')
const { native, more, soon, settled, nextOp, must } = require('../core/engine')
const { whenOpen, whenAvailable, isIfAvailable, cancellable, attempt } = require('./wait')

const { NOTHING, nextRead } = BlockRead

const methods = {
  // Options: wait, ifAvailable, onwait, timeout, signal, valueEncoding. With a callback it gives a symbol for `cancel`.
  get (index, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return getPromise(this, index, opts)

    const codec = codecOf(this, opts)
    const { cache } = this[INNER]
    if (cache !== null) {
      const block = cached(this, cache, index)
      if (block !== null) {
        decode(codec, block, (...args) => soon(cb, ...args))
        return tokenOf(opts)
      }
      const request = new Request(this, 'get', { index }, opts, kept(this, cache, index, decoded(codec, cb)))
      getLater(this, request, index, opts)
      return request.token
    }

    if (ready(this, index, opts)) {
      const step = nextRead(this, index, opts)
      if (step !== NOTHING) {
        new BlockRead(this, index, opts, codec, cb, getPlainly).read(step)
        return tokenOf(opts)
      }
      const op = nextOp()
      const result = native.feedGet(this[INNER].handle, op, index, !opts || opts.wait !== false)
      if (typeof result !== 'boolean') {
        decode(codec, result, (...args) => soon(cb, ...args))
        return tokenOf(opts)
      }
      more(result)
      const request = new Request(this, 'get', { index }, opts, decoded(codec, cb))
      waitForBlock(request, op, index, opts)
      return request.token
    }

    const request = new Request(this, 'get', { index }, opts, decoded(codec, cb))
    getLater(this, request, index, opts)
    return request.token
  },

  // All blocks from `start` to before `end`. Options: wait, timeout, signal, valueEncoding.
  getBatch (start, end, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return cancellable(false, (done) => this.getBatch(start, end, opts, done))

    const codec = codecOf(this, opts)
    const request = new Request(this, 'getBatch', { start, end }, opts, (err, blocks) => err ? cb(err) : decodeAll(codec, blocks, cb))
    attempt(request, () => check.range(start, end))
    whenOpen(this, request, () => getBatch(this, request, start, end, opts))
    return request.token
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
    const request = new Request(this, 'head', {}, opts, last)
    whenOpen(this, request, () => request.answer(null))
    return request.token
  },

  // Whether block `start`, or all from `start` to before `end`, are here. Answers at once; a callback is told as well.
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

  // The block that holds byte `bytes` of the feed, and the offset in it: cb(err, index, offset), or a promise of [index, offset].
  // Options: wait, ifAvailable, start, end, hash, timeout, signal.
  seek (bytes, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') {
      return cancellable(false, (done) => this.seek(bytes, opts, (err, index, offset) => done(err, [index, offset])))
    }
    const { start = 0, end = -1, wait, hash } = opts || {}
    const ifAvailable = isIfAvailable(this, opts)
    const request = new Request(this, 'seek', { bytes, start, end: end || -1 }, opts, cb)
    attempt(request, () => {
      check.index(bytes)
      if (!check.isIndex(start) || (end !== -1 && !check.isIndex(end))) throw errors.badRange()
    })
    whenOpen(this, request, () => {
      const { handle } = this[INNER]
      const op = nextOp()
      more(native.feedSeek(handle, op, bytes, start, request.what.end, wait !== false, hash !== false))
      request.waits(op, bytes <= this.byteLength && native.feedHas(handle, 0, this.length))
      if (ifAvailable) whenAvailable(request, 'get', () => native.feedSeekAvailable(handle, op), errors.seekNotAvailable)
    })
    return request.token
  }
}

// ## get

// True when the core may be asked at once.
function ready (feed, index, opts) {
  return feed.opened && feed.readable && check.isIndex(index) && isPlain(opts) && feed[INNER].cache === null
}

// Nothing that limits the waiting, or that would have to be refused.
function isPlain (opts) {
  if (!opts) return true
  const { signal, timeout, onwait } = opts
  return !signal && (timeout === undefined || (typeof timeout === 'number' && timeout >= 0)) && (!onwait || typeof onwait === 'function')
}

function getPromise (feed, index, opts) {
  if (!ready(feed, index, opts)) return cancellable(false, (done) => feed.get(index, opts, done))

  const codec = codecOf(feed, opts)
  const step = nextRead(feed, index, opts)
  if (step !== NOTHING) return promised(false, (done) => new BlockRead(feed, index, opts, codec, done, getPlainly).read(step))
  const op = nextOp()
  const result = native.feedGet(feed[INNER].handle, op, index, !opts || opts.wait !== false)
  if (typeof result !== 'boolean') {
    try {
      return settled(codec === binary ? result : codec.decode(result))
    } catch (err) {
      return Promise.reject(err)
    }
  }
  more(result)
  return cancellable(false, (done) => {
    const request = new Request(feed, 'get', { index }, opts, decoded(codec, done))
    waitForBlock(request, op, index, opts)
    return request.token
  })
}

function getPlainly (feed, index, opts, codec, cb) {
  getLater(feed, new Request(feed, 'get', { index }, opts, decoded(codec, cb)), index, opts)
}

function getLater (feed, request, index, opts) {
  attempt(request, () => {
    check.index(index)
    if (feed.opened && !feed.readable) throw errors.closed()
  })
  whenOpen(feed, request, () => {
    const op = nextOp()
    const result = native.feedGet(feed[INNER].handle, op, index, !opts || opts.wait !== false)
    if (typeof result !== 'boolean') return request.answer(null, result)
    more(result)
    waitForBlock(request, op, index, opts)
  })
}

// The block was not here, or not read at once.
function waitForBlock (request, op, index, opts) {
  const { feed } = request
  if (request.over) return more(native.feedCancel(feed[INNER].handle, op, null, ''))
  const local = native.feedHas(feed[INNER].handle, index, index + 1)
  request.waits(op, local)
  if (local || (opts && opts.wait === false)) return

  if (isIfAvailable(feed, opts)) {
    whenAvailable(request, 'get', () => native.feedAvailable(feed[INNER].handle, index), errors.blockNotAvailable)
  }
  if (opts && opts.onwait) opts.onwait(index)
}

// The block, if the feed has it and it is at hand; else null.
function cached (feed, cache, index) {
  const isHere = feed.opened && feed.readable && check.isIndex(index) && native.feedHas(feed[INNER].handle, index, index + 1)
  return isHere ? cache.block(index) : null
}

function kept (feed, cache, index, cb) {
  return (err, block) => {
    if (err) cb(err)
    else cache.keep(feed[INNER].handle, index, block, () => cb(null, block))
  }
}

function tokenOf (opts) {
  return (opts && opts.cancel) || Symbol('hypercore-get')
}

// ## getBatch

function getBatch (feed, request, start, end, opts) {
  const { handle } = feed[INNER]
  if (!feed.readable) return request.answer(errors.closed())
  if (start === end) return request.answer(null, [])

  const op = nextOp()
  if (native.feedHas(handle, start, end)) {
    more(native.feedGetBatch(handle, op, start, end))
    return request.waits(op, true, (err, data, sizes) => finishBatch(request, err, data, sizes))
  }
  if (opts && opts.wait === false) return request.answer(errors.notDownloaded())

  more(native.feedDownload(handle, op, start, end, false, false, null))
  request.waits(op, false, (err) => {
    if (err || !feed.readable) return request.finish(err || errors.closed())
    const op = nextOp()
    more(native.feedGetBatch(handle, op, start, end))
    must(op, (err, data, sizes) => finishBatch(request, err, data, sizes))
  })
}

// Blocks come as one piece.
function finishBatch (request, err, data, sizes) {
  if (err) return request.finish(err)
  let end = 0
  request.finish(null, sizes.map((size) => {
    end += size
    return data.subarray(end - size, end)
  }))
}

// ## Help

function codecOf (feed, opts) {
  return opts && opts.valueEncoding ? feedCodec(opts.valueEncoding) : feed[INNER].codec
}

function decoded (codec, cb) {
  return codec === binary ? cb : (err, block) => err ? cb(err) : decode(codec, block, cb)
}

function decode (codec, block, cb) {
  let value
  try {
    value = codec === binary ? block : codec.decode(block)
  } catch (err) {
    return cb(err)
  }
  cb(null, value)
}

function decodeAll (codec, blocks, cb) {
  let values
  try {
    values = codec === binary ? blocks : blocks.map((block) => codec.decode(block))
  } catch (err) {
    return cb(err)
  }
  cb(null, values)
}

// The answer of `ask` for a method that answers at once; a fault goes to the callback, and `otherwise` is given.
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
