/*
 * Call: the life of one call of a feed's method that is not answered at once.
 *
 * ```text
 * made: the feed may still be opening ----> asked: the core has it, or a storage is read ----> done
 *        '-------- giveUp(err): by cancel, a signal, a timeout, a close --------------------------^
 * ```
 * It carries what callers may attach to waiting: a token to cancel by, an AbortSignal, a timeout in
 * milliseconds. What is local does not depend on peers, so its answer comes; what is not may wait
 * for ever, and goes with its feed.
 *
 * Invariant: the callback runs once, never before the method that took it returned.
 */
'use strict'

const INNER = require('../kit/inner')
const check = require('../kit/check')
const errors = require('../kit/errors')
const native = require('../core/native')
const { more, soon } = require('../core/queue')
const { nextOp, must, mayWait } = require('../core/operations')
const { EVENTS, LOCAL } = require('../core/border').begun

// Calls about more than one block. Those about one are the core's to find.
const SPANNING = new Set(['update', 'seek', 'download', 'getBatch'])

class Call {
  // `opts` may have `cancel` (a symbol), `signal`, `timeout`. `kind` is the name of the method,
  // `what` its arguments by name.
  constructor (feed, kind, what, opts, callback) {
    const { calls } = feed[INNER]
    this.feed = feed
    this.kind = kind
    this.what = what
    this.opts = opts
    this.callback = callback
    this.since = performance.now()
    this.token = freeToken(calls, opts)
    this.op = 0 // the core's number for it; 0: the core has not been asked
    this.isLocal = false
    this.ifAvailable = false
    this.isDone = false
    this.reason = null // why it was given up
    this.timer = null
    this.signal = null
    this.onabort = null
    this.reading = null // what is read from a JavaScript storage, see `get`
    calls.set(this.token, this)
    if (SPANNING.has(kind)) feed[INNER].spanning.add(this)
    if (opts || feed[INNER].timeout > 0) this.#limit(opts)
  }

  // What ends the waiting early. The time counts from the call, also while the feed opens.
  #limit (opts) {
    try {
      this.signal = check.signal(opts && opts.signal)
      const timeout = timeoutOf(this.feed, this.kind, opts)
      if (opts && opts.onwait && typeof opts.onwait !== 'function') throw errors.badHook()
      if (timeout > 0) this.timer = setTimeout(() => this.giveUp(errors.timeout()), timeout)
      if (this.signal) this.#listen()
    } catch (err) {
      this.giveUp(err)
    }
  }

  #listen () {
    this.onabort = () => this.giveUp(errors.aborted(this.signal.reason))
    if (this.signal.aborted) this.onabort()
    else this.signal.addEventListener('abort', this.onabort, { once: true })
  }

  // True when nobody waits for it any more; then the core must not be asked.
  get isOver () {
    return this.isDone || this.reason !== null
  }

  // Asks the core: `send(handle, op)` gives what is left behind. The answer is `finish`, or what is
  // given.
  ask (send, answer) {
    const op = nextOp()
    this.waits(op, send(this.feed[INNER].handle, op), answer)
    return op
  }

  // The core has it under number `op`; `left` says what it left behind, and whether peers are
  // needed.
  waits (op, left, answer = (...args) => this.finish(...args)) {
    more((left & EVENTS) !== 0)
    this.op = op
    this.isLocal = (left & LOCAL) !== 0
    if (this.isLocal) must(op, answer)
    else mayWait(this.feed, op, answer)
  }

  // Answers with `err`, unless the answer is on its way.
  giveUp (err) {
    if (this.isOver) return
    this.reason = err
    if (this.op === 0 || this.isLocal) soon(() => this.finish(err))
    else more(native.feedCancel(this.feed[INNER].handle, this.op, null, '')) // the answer will be `err`
  }

  // Answers in the next tick, for what never reached the core.
  answer (...args) {
    soon(() => this.finish(...args))
  }

  // It is answered now.
  finish (err, ...values) {
    if (this.isDone) return
    this.isDone = true
    this.feed[INNER].calls.delete(this.token)
    this.feed[INNER].spanning.delete(this)
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.signal !== null) this.signal.removeEventListener('abort', this.onabort)
    if (err) this.callback(this.reason || err)
    else this.callback(null, ...values)
  }

  // Runs `begin` when the feed is open, at once if it is; ends the call when it cannot be opened.
  whenOpen (begin) {
    const { feed } = this
    if (this.isOver) return
    if (feed.opened && !feed.closing && !feed.closed) return begin()
    feed.open((err) => {
      if (this.isOver) return
      if (err) this.finish(err)
      else begin()
    })
  }

  // Runs a check of arguments, and ends the call with what it throws.
  attempt (check) {
    try {
      check()
    } catch (err) {
      this.giveUp(err)
    }
  }
}

// The feed's default is not for downloads, which are asked for without an end in mind.
function timeoutOf (feed, kind, opts) {
  if (opts && opts.timeout !== undefined) return check.milliseconds(opts.timeout, 0)
  return kind === 'download' ? 0 : feed[INNER].timeout
}

// The caller's symbol, unless another call has it already.
function freeToken (calls, opts) {
  const token = opts && opts.cancel
  return typeof token === 'symbol' && !calls.has(token) ? token : Symbol('hypercore-call')
}

module.exports = Call
