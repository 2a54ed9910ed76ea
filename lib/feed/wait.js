/*
 * Waiting: for the feed to open, for peers to say what they have.
 *
 * Source: hypercore@9.12.0 index.js `_readyAnd...`, `_ifAvailable`, `_ifAvailableGet`.
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const { promised, hook } = require('../kit/async')
const { more, must, nextOp, soon } = require('../core/engine')

// Runs `begin` when the feed is open, at once if it is; ends the request when it cannot be opened.
function whenOpen (feed, request, begin) {
  if (request.over) return
  if (feed.opened && !feed.closing && !feed.closed) return begin()
  feed.open((err) => {
    if (request.over) return
    if (err) request.finish(err)
    else begin()
  })
}

// Runs a check of arguments, and ends the request with what it throws.
function attempt (request, check) {
  try {
    check()
  } catch (err) {
    request.giveUp(err)
  }
}

// Asks the core once the feed is open: `send(handle, op) -> more`, answered by `cb`. `check` may throw before.
function asked (feed, check, send, cb) {
  try {
    if (check) check()
  } catch (err) {
    return soon(cb, err)
  }
  if (feed.opened && !feed.closing && !feed.closed) return begin(null)
  feed.open(begin)

  function begin (err) {
    if (err) return cb(err)
    const op = nextOp()
    must(op, cb)
    more(send(feed[INNER].handle, op))
  }
}

// Whether a call gives up when no peer can help, or else the feed's default.
function isIfAvailable (feed, opts) {
  return opts && typeof opts.ifAvailable === 'boolean' ? opts.ifAvailable : feed[INNER].ifAvailable
}

// Gives the request up with `fault()` unless some peer can answer it, as soon as the peers have had time to tell.
// The application may lengthen that time: `feed.timeouts[name]` and `feed.ifAvailable`.
function whenAvailable (request, name, available, fault) {
  const { feed } = request
  const decide = () => {
    if (request.over) return
    if (feed.closed) request.giveUp(errors.closedWhileWaiting())
    else if (!available()) request.giveUp(fault())
  }
  const timeout = (cb) => feed.timeouts && feed.timeouts[name] ? feed.timeouts[name](cb) : cb(null)
  hook(timeout, (err) => err ? request.giveUp(err) : feed.ifAvailable.ready(decide))
}

// A promise for what `start(done)` answers; `start` gives the token by which `cancel` and `undownload` find it again.
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

module.exports = { whenOpen, asked, attempt, isIfAvailable, whenAvailable, cancellable, tokenIn }
