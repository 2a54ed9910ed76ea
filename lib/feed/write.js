/*
 * Writing: append, flush, clear.
 *
 * Values are encoded when `append` is called, so the caller may reuse its array, and a bad value
 * fails its own append only.
 *
 * Invariant: what one append was given becomes blocks next to each other, all or none.
 * Source: hypercore@9.12.0 index.js.
 */
'use strict'

const INNER = require('../kit/inner')
const Batcher = require('./batcher')
const check = require('../kit/check')
const errors = require('../kit/errors')
const { bytes, binary } = require('../kit/codec')
const { promised } = require('../kit/async')
const { grow } = require('./events')
const { beforeAppend } = require('./hooks')
const { asked } = require('./wait')
const native = require('../core/native')
const { rest: { EVENTS, ANSWERS }, limits } = require('../core/border')
const { more, soon } = require('../core/queue')
const { appended, nextOp, must } = require('../core/operations')

// Room for answers that come with the call.
const NUMBERS = new Float64Array(5)
const ROOM = Buffer.from(NUMBERS.buffer)

const methods = {
  // Appends one value, or each of an array. cb(err, seq): the number of the first block.
  append (batch, cb) {
    if (typeof cb !== 'function') return promised(true, (done) => this.append(batch, done))
    const { codec, batcher, hooks } = this[INNER]
    const values = Array.isArray(batch) ? batch : [batch]
    let blocks
    try {
      checkWritable(this)
      blocks = encode(codec, values)
    } catch (err) {
      return soon(cb, err)
    }
    batcher.push(blocks, hooks.writes ? [...values] : null, cb)
  },

  // Calls back when all appends before it are done.
  flush (cb) {
    return this.append([], cb)
  },

  // Forgets the data of blocks start..end, of block `start` when no end is given. Options: delete
  // (false keeps the bytes).
  clear (start, end, opts, cb) {
    if (typeof end === 'function') [end, opts, cb] = [undefined, undefined, end]
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return promised(true, (done) => this.clear(start, end, opts, done))
    if (!end) end = check.isIndex(start) ? start + 1 : start
    asked(this, 'clear', { start, end }, () => {
      check.index(start)
      check.range(start, end)
    }, (handle, op) => native.feedClear(handle, op, start, end, !!opts && opts.delete === false), (err) => cb(err))
  }
}

// Makes the feed's batcher. A batch waits for the feed to open; then it is handed over in the same
// call.
function batcher (feed, hooks) {
  const send = (blocks, cb) => afterOpen(feed, cb, () => sendBatch(feed, blocks, cb))
  const check = (values, offset, cb) => afterOpen(feed, cb, () => beforeAppend(hooks, values, feed.length + offset, cb))
  return new Batcher(send, hooks.writes ? check : null)
}

function afterOpen (feed, cb, go) {
  if (feed.opened) go()
  else feed.open((err) => err ? cb(err) : go())
}

function sendBatch (feed, blocks, cb) {
  if (!feed.writable && !feed.closing) return soon(cb, errors.notWritable())
  const op = nextOp()
  must(op, (err, seq, length, byteLength, live) => {
    if (err) return cb(err)
    try {
      if (length > feed.length) grow(feed, length, byteLength, live)
    } finally {
      cb(null, seq)
    }
  })
  const { handle, js } = feed[INNER]
  const what = blocks.length === 1 ? blocks[0] : blocks
  if (js !== null) js.append(op, what)
  else handOver(handle, op, what)
}

function handOver (handle, op, blocks) {
  const rest = native.feedAppend(handle, op, blocks, ROOM, 0)
  if (rest === ANSWERS) soon(appended(NUMBERS, 0))
  else more((rest & EVENTS) !== 0)
}

function checkWritable (feed) {
  if (feed.closing || feed.closed) throw errors.closedToAppend()
  if (feed.opened && !feed.writable) throw errors.notWritable()
}

function encode (codec, values) {
  const blocks = new Array(values.length)
  for (let i = 0; i < values.length; i++) {
    blocks[i] = check.block(bytes(codec === binary ? values[i] : codec.encode(values[i])), limits.BLOCK)
  }
  return blocks
}

module.exports = { methods, batcher }
