/*
 * Waiting: for the core's answer, for peers to say what they have, by callback or promise.
 *
 * Source: hypercore@9.12.0 index.js `_readyAnd...`, `_ifAvailable`, `_ifAvailableGet`.
 */
'use strict'

const INNER = require('../kit/inner')
const Call = require('./call')
const errors = require('../kit/errors')
const { LOCAL } = require('../core/border').begun
const { promised, hook } = require('../kit/async')

// Asks the core something that does not depend on peers, once the feed is open: `send(handle, op)`
// says whether events wait; `cb` is answered. `check` may throw before. `kind` and `what` are the
// method and its arguments.
function asked (feed, kind, what, check, send, cb) {
  const call = new Call(feed, kind, what, null, cb)
  if (check) call.attempt(check)
  call.whenOpen(() => call.ask((handle, op) => LOCAL | send(handle, op)))
}

// Whether a call gives up when no peer can help, or else the feed's default.
function isIfAvailable (feed, opts) {
  return opts && typeof opts.ifAvailable === 'boolean' ? opts.ifAvailable : feed[INNER].ifAvailable
}

// Gives the call up with `fault()` unless some peer can answer it, as soon as the peers have had
// time to tell. The application may lengthen that time: `feed.timeouts[name]` and
// `feed.ifAvailable`.
function whenAvailable (call, name, available, fault) {
  const { feed } = call
  const decide = () => {
    if (call.isOver) return
    if (feed.closed) call.giveUp(errors.closedWhileWaiting())
    else if (!available()) call.giveUp(fault())
  }
  const timeout = (cb) => feed.timeouts && feed.timeouts[name] ? feed.timeouts[name](cb) : cb(null)
  hook(timeout, (err) => err ? call.giveUp(err) : feed.ifAvailable.ready(decide))
}

// A promise for what `start(done)` answers; `start` gives the token by which `cancel` and
// `undownload` find it again.
function cancellable (quiet, start) {
  let token
  const promise = promised(quiet, (done) => { token = start(done) })
  promise[INNER] = token
  return promise
}

// The token in what `cancel` or `undownload` got, if there is one.
function tokenIn (value) {
  if (typeof value === 'symbol') return value
  return (typeof value === 'object' && value && value[INNER]) || null
}

module.exports = { asked, isIfAvailable, whenAvailable, cancellable, tokenIn }
