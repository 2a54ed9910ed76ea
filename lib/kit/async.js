/*
 * Callbacks and promises: one method serves both.
 *
 * Invariant: a callback that throws is an ordinary uncaught exception, and keeps no other callback
 * from its turn.
 */
'use strict'

const errors = require('./errors')

// A promise for what `start(done)` answers. `quiet`: v9's callback was optional, so nobody need
// look at the promise.
function promised (quiet, start) {
  const promise = new Promise((resolve, reject) => {
    start((err, value) => err ? reject(err) : resolve(value))
  })
  if (quiet) promise.catch(noop)
  return promise
}

// Calls each of `list` as `call(item)`; those after one that throws get their turn in the next
// tick.
function each (list, call) {
  let i = 0
  go()

  function go () {
    try {
      while (i < list.length) call(list[i++])
    } finally {
      if (i < list.length) process.nextTick(go)
    }
  }
}

// Runs a caller's hook, which may take a callback or return a promise; `done(err, value)` is called
// once, never in this turn's stack.
function hook (call, done) {
  let answered = false
  const fail = (err) => once(err || errors.hookFailed())
  try {
    const result = call(once)
    if (result && typeof result.then === 'function') result.then((value) => once(null, value), fail)
  } catch (err) {
    fail(err)
  }

  function once (err, value) {
    if (answered) return
    answered = true
    process.nextTick(done, err || null, value)
  }
}

function noop () {}

module.exports = { promised, each, hook, noop }
