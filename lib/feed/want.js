/*
 * Wanting: update, download, undownload, cancel, setExpectedLength.
 *
 * Invariant: a download stays what it was when it was asked for, however the caller's range object
 * changes.
 * Source: hypercore@9.12.0 index.js. There `cancel(0)` also ends the endless download of a feed
 * that is not sparse; ours does not.
 */
'use strict'

const INNER = require('../kit/inner')
const Call = require('./call')
const check = require('../kit/check')
const errors = require('../kit/errors')
const native = require('../core/native')
const border = require('../core/border')
const { more, soon } = require('../core/queue')
const { whenAvailable, isIfAvailable, cancellable, tokenIn } = require('./wait')

const methods = {
  // Waits until the feed has `minLength` blocks, or one more than now. Options: minLength,
  // ifAvailable, hash, force, timeout, signal.
  update (opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return cancellable(true, (done) => this.update(opts, done))
    if (typeof opts === 'number') opts = { minLength: opts }
    opts = opts || {}
    const { minLength = -1 } = opts
    const verdict = verdictAtOnce(this, minLength, opts)
    if (verdict !== WAIT) {
      soon(() => cb(ANSWERS[verdict]()))
      return opts.cancel || Symbol('hypercore-update')
    }
    const call = new Call(this, 'update', { length: minLength }, opts, (err) => cb(err))
    call.attempt(() => {
      if (minLength !== -1) check.length(minLength)
    })
    call.whenOpen(() => {
      if (minLength === -1) call.what.length = this.length + 1
      update(this, call, call.what.length, opts)
    })
    return call.token
  },

  // Asks for a range `{ start, end, linear, hash }`, for `{ blocks: [...] }`, for one block or for
  // all. Gives a selection for `undownload`.
  download (range, cb) {
    if (typeof range === 'function') [range, cb] = [undefined, range]
    if (typeof cb !== 'function') return downloadPromise(this, range)
    return download(this, range, cb)
  },

  // Ends a download: the selection or promise that `download` gave, or the first one with the same
  // range.
  undownload (range) {
    const { calls } = this[INNER]
    const token = tokenIn(range)
    if (token) {
      if (calls.has(token)) calls.get(token).giveUp(errors.downloadCancelled())
      return
    }
    const wanted = selection(range)
    if (isSame(wanted, ALL)) return native.feedStop(this[INNER].handle)
    for (const call of calls.values()) {
      if (call.kind === 'download' && isSame(call.what, wanted)) return call.giveUp(errors.downloadCancelled())
    }
  },

  // Ends what waits: by the symbol or promise of the call, or all gets, seeks and downloads that
  // lie in start..end.
  cancel (start, end) {
    const { calls, spanning } = this[INNER]
    const token = tokenIn(start)
    if (token) {
      const call = calls.get(token)
      if (call) call.giveUp(call.kind === 'download' ? errors.downloadCancelled() : errors.requestCancelled())
      return
    }
    if (!check.isIndex(start)) return
    if (!check.isIndex(end) || end === 0) end = start + 1
    for (const call of [...spanning]) cancelWithin(call, start, end)
    const cancelGets = () => more(native.feedCancelRange(this[INNER].handle, start, end))
    if (this.opened) cancelGets()
    else this.open((err) => { if (!err) cancelGets() })
  },

  // A hint that lets updates with `ifAvailable` end early: no peer has more than `length` blocks.
  setExpectedLength (length) {
    if (length !== -1) check.length(length)
    const inner = this[INNER]
    inner.expectedLength = length
    this.open((err) => {
      if (err) return
      this.ifAvailable.ready(() => { inner.expectedLength = -1 })
      for (const call of inner.calls.values()) {
        const isVain = call.kind === 'update' && verdictOf(this, call.what.length, call.opts) === EXPECTED
        if (isVain) call.giveUp(errors.expectedLength())
      }
    })
  }
}

// ## update

const { WAIT, REACHED, NOTHING_NEW, EXPECTED } = border.verdict
const { IF_AVAILABLE, FORCE } = border.update
const ANSWERS = { [REACHED]: () => null, [NOTHING_NEW]: errors.noUpdate, [EXPECTED]: errors.expectedLength }

// The core's verdict on an update that needs nobody. Programs ask so before each read, so it must
// cost little.
function verdictAtOnce (feed, minLength, opts) {
  if (!feed.opened || feed.closing || feed.closed || opts.signal) return WAIT
  if (minLength !== -1 && !check.isIndex(minLength)) return WAIT
  return verdictOf(feed, minLength, opts)
}

function verdictOf (feed, minLength, opts) {
  const { handle, expectedLength } = feed[INNER]
  const bits = (isIfAvailable(feed, opts) ? IF_AVAILABLE : 0) | (opts.force ? FORCE : 0)
  return native.feedUpdateVerdict(handle, orNone(minLength), orNone(expectedLength), bits)
}

// -1 stands for none here, and Infinity in the core.
function orNone (length) {
  return length === -1 ? Infinity : length
}

function update (feed, call, length, opts) {
  const verdict = verdictOf(feed, length, opts)
  if (verdict !== WAIT) return call.answer(ANSWERS[verdict]())
  const ifAvailable = isIfAvailable(feed, opts)
  call.ask((handle, op) => native.feedUpdate(handle, op, length, opts.hash !== false))
  call.ifAvailable = ifAvailable
  if (ifAvailable) {
    whenAvailable(call, 'update', () => native.feedLengthAvailable(feed[INNER].handle, length), errors.noUpdate)
  }
}

// Updates as long as the feed is open.
function eagerUpdate (feed) {
  const opts = { ifAvailable: false, timeout: 0 }
  feed.update(opts, function again (err) {
    if (feed.closing || feed.closed || !feed.opened) return
    if (err) feed.emit('update-error', err)
    feed.update(opts, again)
  })
}

// ## download

const ALL = { start: 0, end: -1, hash: false, linear: false, blocks: null }

function download (feed, range, cb) {
  const wanted = selection(range)
  const call = new Call(feed, 'download', wanted, typeof range === 'object' ? range : null, (err) => cb(err))
  call.attempt(() => {
    checkSelection(wanted)
    if (!feed.readable) throw errors.closed()
  })
  call.whenOpen(() => {
    const { start, end, linear, hash, blocks } = wanted
    call.ask((handle, op) => native.feedDownload(handle, op, start, end, linear, hash, blocks))
  })
  return Object.defineProperty({ ...wanted, callback: cb }, INNER, { value: call.token })
}

function downloadPromise (feed, range) {
  let given
  const promise = cancellable(true, (done) => {
    given = download(feed, range, done)
    return given[INNER]
  })
  const { callback, ...fields } = given
  return Object.assign(promise, fields)
}

// What a caller's range means. An `end` of 0 means no end, as in v9.
function selection (range) {
  if (typeof range === 'number') return { ...ALL, start: range, end: range + 1 }
  if (Array.isArray(range)) range = { blocks: range }
  if (!range) range = {}
  if (typeof range !== 'object') range = { start: range }
  const { hash, linear, blocks } = range
  let { start, end } = range
  if (Array.isArray(blocks) && typeof start !== 'number') {
    start = blocks.reduce((least, block) => block < least ? block : least, blocks.length ? blocks[0] : 0)
    end = blocks.reduce((most, block) => block >= most ? block + 1 : most, 0)
  }
  return { start: start || 0, end: !end || end === Infinity ? -1 : end, hash: !!hash, linear: !!linear, blocks: Array.isArray(blocks) ? [...blocks] : blocks || null }
}

function checkSelection ({ start, end, blocks }) {
  if (!check.isIndex(start) || (end !== -1 && (!check.isIndex(end) || end < start))) throw errors.badRange()
  if (blocks && !Array.isArray(blocks)) throw errors.badRange()
  if (blocks) blocks.forEach(check.index)
}

function isSame (a, b) {
  return a.start === b.start && a.end === b.end && a.hash === b.hash && a.linear === b.linear && !a.blocks === !b.blocks
}

// Gets are the core's business: it knows which there are.
function cancelWithin (call, start, end) {
  const { kind, what } = call
  if (kind === 'update' && what.length > start && what.length <= end) call.giveUp(errors.requestCancelled())
  const isRange = kind === 'seek' || kind === 'download' || kind === 'getBatch'
  if (!isRange || what.end === -1 || what.start < start || what.end > end) return
  call.giveUp(kind === 'seek' ? errors.requestCancelled() : errors.downloadCancelled())
}

module.exports = { methods, eagerUpdate }
