/*
 * Get: one block.
 *
 * ```text
 * at hand (the caller's cache, or the core at once)   answered in the next tick, or by a promise that is resolved already: no Call is made
 * in a JavaScript storage                             nodes -> nodes -> ... -> the block, as the core says where; it judges each
 * else                                                the core looks, and asks peers
 * ```
 * What a JavaScript storage gives that is not there or not right is got in the plain way: then the
 * core says what is wrong.
 *
 * Invariant: the callback runs behind all events that came before it.
 */
'use strict'

const INNER = require('../kit/inner')
const Call = require('./call')
const check = require('../kit/check')
const errors = require('../kit/errors')
const native = require('../core/native')
const border = require('../core/border')
const { feedCodec, binary, bytes } = require('../kit/codec')
const { more, soon, settled, ask, behind } = require('../core/queue')
const { nextOp } = require('../core/operations')
const { spend } = require('../core/turn')
const { whenAvailable, isIfAvailable, cancellable } = require('./wait')

const { PLAINLY, BLOCK, DONE } = border.step
const { STEP, OFFSET, SIZE, NODE, VERSION, PLACES } = border.place

// Gives a symbol for `cancel`.
function get (feed, index, opts, cb) {
  const block = atHand(feed, index, opts)
  if (block === null) return getLater(feed, index, opts, cb).token
  decode(codecOf(feed, opts), block, (...args) => soon(cb, ...args))
  return tokenOf(opts)
}

function getPromise (feed, index, opts) {
  const block = atHand(feed, index, opts)
  if (block === null) return cancellable(false, (done) => getLater(feed, index, opts, done).token)
  try {
    return settled(codecOf(feed, opts).decode(block))
  } catch (err) {
    return Promise.reject(err)
  }
}

// ## At once

// The core's number for what `atHand` has asked it and what is still to be answered, and what that
// left behind; 0 for nothing.
let asked = 0
let left = 0

// The block, or null.
function atHand (feed, index, opts) {
  asked = 0
  if (!feed.opened || !feed.readable || !check.isIndex(index)) return null
  const { handle, cache, js } = feed[INNER]
  if (cache !== null) return native.feedHas(handle, index, index + 1) ? cache.block(index) : null
  if (js !== null || !isPlain(opts)) return null
  const op = nextOp()
  const result = native.feedGet(handle, op, index, waits(opts))
  if (typeof result !== 'number') {
    spend(result.length)
    return result
  }
  asked = op
  left = result
  return null
}

// Nothing that limits the waiting, or that would have to be refused.
function isPlain (opts) {
  if (!opts) return true
  const { signal, timeout, onwait } = opts
  return !signal && (timeout === undefined || (typeof timeout === 'number' && timeout >= 0)) && (!onwait || typeof onwait === 'function')
}

function waits (opts) {
  return !opts || opts.wait !== false
}

function tokenOf (opts) {
  return (opts && opts.cancel) || Symbol('hypercore-get')
}

// ## Later

function getLater (feed, index, opts, cb) {
  const op = asked
  const call = new Call(feed, 'get', { index }, opts, answerOf(feed, index, opts, cb))
  if (op !== 0) waitForBlock(call, op, left)
  else if (!check.isIndex(index)) call.giveUp(errors.badIndex())
  else if (feed.opened && !feed.readable) call.giveUp(errors.closed())
  else if (feed.opened && !call.isOver) begin(call)
  else call.whenOpen(() => begin(call))
  return call
}

// What to do with the block.
function answerOf (feed, index, opts, cb) {
  const codec = codecOf(feed, opts)
  const decoded = codec === binary ? cb : (err, block) => err ? cb(err) : decode(codec, block, cb)
  const { cache, handle } = feed[INNER]
  if (cache === null) return decoded
  return (err, block) => err ? decoded(err) : cache.keep(handle, index, block, () => decoded(null, block))
}

function begin (call) {
  const { feed, what: { index } } = call
  const { js, handle } = feed[INNER]
  const step = js === null ? PLAINLY : native.feedReadStep(handle, index, PLACE)
  if (step === PLAINLY) getPlainly(call)
  else readLocally(call)
}

function getPlainly (call) {
  const { feed, what: { index }, opts } = call
  const op = nextOp()
  const result = native.feedGet(feed[INNER].handle, op, index, waits(opts))
  if (typeof result !== 'number') return call.answer(null, result)
  waitForBlock(call, op, result)
}

// The block was not here, or not read at once.
function waitForBlock (call, op, left) {
  const { feed, what: { index }, opts } = call
  const { handle } = feed[INNER]
  call.waits(op, left)
  if (call.isOver) return more(native.feedCancel(handle, op, null, ''))
  if (call.isLocal || !waits(opts)) return

  if (isIfAvailable(feed, opts)) whenAvailable(call, 'get', () => native.feedAvailable(handle, index), errors.blockNotAvailable)
  if (opts && opts.onwait) opts.onwait(index)
}

// ## From a JavaScript storage

// What was read, and what to read next: for one call of the core.
const PLACE = new Float64Array(PLACES)

// Small arrays live inside V8's heap, and to look at one the core would have it moved out, at five
// times the price of a copy.
const SMALL = new Uint8Array(new ArrayBuffer(64))

// Reads what PLACE says, then whatever is next.
function readLocally (call) {
  call.isLocal = true
  const reading = call.reading = {
    step: PLACE[STEP], offset: PLACE[OFFSET], size: PLACE[SIZE], node: PLACE[NODE], version: PLACE[VERSION]
  }
  let isOver = false
  let isEarly = true
  const take = (err, data) => {
    if (isOver) return
    isOver = true
    if (isEarly) soon(judge, call, err, data)
    else behind(() => judge(call, err, data))
  }
  try {
    ask(() => call.feed[INNER].js.read(reading.step === BLOCK, reading.offset, reading.size, take))
  } catch (err) {
    take(errors.foreign(err))
  }
  isEarly = false
}

function judge (call, err, data) {
  if (call.isOver) return
  if (err) return call.finish(err)
  const step = isBytes(data, call.reading.size) ? readOn(call, data) : PLAINLY
  if (step === DONE) return call.finish(null, bytes(data))
  if (step !== PLAINLY) return readLocally(call)
  call.isLocal = false
  getPlainly(call)
}

function isBytes (data, size) {
  return ArrayBuffer.isView(data) && data instanceof Uint8Array && data.length === size
}

function readOn ({ feed, what: { index }, reading }, data) {
  PLACE[STEP] = reading.step
  PLACE[OFFSET] = reading.offset
  PLACE[SIZE] = reading.size
  PLACE[NODE] = reading.node
  PLACE[VERSION] = reading.version
  if (data.length <= SMALL.length) {
    SMALL.set(data)
    data = SMALL
  }
  return native.feedReadStep(feed[INNER].handle, index, PLACE, data)
}

// Calls for which a storage is read, and of which the core knows nothing: who closes the feed gives
// them up.
function reading (feed) {
  return [...feed[INNER].calls.values()].filter((call) => call.reading !== null && call.op === 0)
}

// ## Values

function codecOf (feed, opts) {
  return opts && opts.valueEncoding ? feedCodec(opts.valueEncoding) : feed[INNER].codec
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

module.exports = { get, getPromise, reading, codecOf, tokenOf }
