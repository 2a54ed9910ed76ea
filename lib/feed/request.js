/*
 * Request: one get, update, seek or download that may wait for peers.
 *
 * ```text
 * made (the feed may still be opening) --start(op)--> waiting --answer--> done
 *        '------------- giveUp(err) -----------------------'
 * ```
 * It carries what callers may attach to waiting: a token to cancel by, an AbortSignal, a timeout in milliseconds.
 *
 * Invariant: the callback runs once, never before the method that took it returned.
 */
'use strict'

const INNER = require('../kit/inner')
const check = require('../kit/check')
const errors = require('../kit/errors')
const { native, more, soon, must, mayWait } = require('../core/engine')

class Request {
  // `opts` may have `cancel` (a symbol), `signal`, `timeout`. `kind` is the name of the method, `what` its arguments by name.
  constructor (feed, kind, what, opts, callback) {
    const { requests } = feed[INNER]
    this.feed = feed
    this.kind = kind
    this.what = what
    this.since = performance.now()
    this.isLocal = false
    this.callback = callback
    this.token = freeToken(requests, opts)
    this.ifAvailable = false
    this.op = 0
    this.done = false
    this.reason = null
    this.timer = null
    this.signal = null
    requests.set(this.token, this)
    try {
      this.#limit(opts)
    } catch (err) {
      this.giveUp(err)
    }
  }

  // What ends the waiting early. The time counts from the call, also while the feed opens.
  #limit (opts) {
    this.signal = check.signal(opts && opts.signal)
    const timeout = timeoutOf(this.feed, this.kind, opts)
    if (opts && opts.onwait && typeof opts.onwait !== 'function') throw errors.badHook()
    if (timeout > 0) this.timer = setTimeout(() => this.giveUp(errors.timeout()), timeout)
    if (this.signal) this.#listen()
  }

  // True when nobody waits for it any more; then it must not be handed to the core.
  get over () {
    return this.done || this.reason !== null
  }

  // The core has it under number `op`. `local`: the answer does not depend on peers, so it must come.
  waits (op, local, answer = (...args) => this.finish(...args)) {
    this.op = op
    this.isLocal = local
    if (local) must(op, answer)
    else mayWait(this.feed, op, answer)
  }

  // Answers with `err`, unless the answer is on its way.
  giveUp (err) {
    if (this.over) return
    this.reason = err
    if (this.op === 0 || this.isLocal) soon(() => this.finish(err))
    else more(native.feedCancel(this.feed[INNER].handle, this.op, null, '')) // the answer will be `err`
  }

  // Answers in the next tick, for what never reached the core.
  answer (...args) {
    soon(() => this.finish(...args))
  }

  finish (err, ...values) {
    if (this.done) return
    this.done = true
    this.feed[INNER].requests.delete(this.token)
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.signal) this.signal.removeEventListener('abort', this.onabort)
    if (err) this.callback(this.reason || err)
    else this.callback(null, ...values)
  }

  #listen () {
    this.onabort = () => this.giveUp(errors.aborted(this.signal.reason))
    if (this.signal.aborted) this.onabort()
    else this.signal.addEventListener('abort', this.onabort, { once: true })
  }
}

// The feed's default is not for downloads, which are asked for without an end in mind.
function timeoutOf (feed, kind, opts) {
  if (opts && opts.timeout !== undefined) return check.milliseconds(opts.timeout, 0)
  return kind === 'download' ? 0 : feed[INNER].timeout
}

// The caller's symbol, unless another request has it already.
function freeToken (requests, opts) {
  const token = opts && opts.cancel
  return typeof token === 'symbol' && !requests.has(token) ? token : Symbol('hypercore-request')
}

module.exports = Request
