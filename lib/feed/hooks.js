/*
 * Hooks: questions that a feed asks the application.
 *
 * ```text
 * onwrite(index, value, peer, cb)              before a block is written: an append's value (peer null), or what a peer sent
 * crypto.sign(message, secretKey, cb)          before an append: cb(null, signature)
 * crypto.verify(message, signature, key, cb)   before a proof is believed: cb(null, verdict)
 * ```
 * A hook may take the callback or return a promise. Its error fails the one operation that asked.
 * `verify` is asked a second time, with the 32-byte hash, when it says no: feeds of hypercore 8
 * were signed so.
 *
 * Invariant: each question is answered once; an answer of a wrong kind is an error.
 * Source: hypercore@9.12.0 index.js `_appendHook`, `_write`, `opts.crypto`.
 */
'use strict'

const errors = require('../kit/errors')
const { hook } = require('../kit/async')
const native = require('../core/native')
const { hook: { SIGN, VERIFY, WRITE }, answer: { DONE, FAILED } } = require('../core/border')
const { more } = require('../core/queue')

const SIGNATURE_SIZE = 64

// The hooks among a feed's options.
function hooksOf ({ onwrite, crypto }) {
  const hooks = { onwrite: onwrite || null, crypto: crypto || null }
  const { sign, verify } = crypto || {}
  for (const fn of [onwrite, sign, verify]) {
    if (fn && typeof fn !== 'function') throw errors.badHook()
  }
  return Object.assign(hooks, { writes: !!onwrite, signs: !!sign, verifies: !!verify })
}

// Carries out a Hook event: [, , id, what, ...question].
function answer (feed, { handle, hooks, peers }, [, , id, what, ...question]) {
  hook((cb) => ask(feed, hooks, peers, what, question, cb), (err, value) => {
    if (!err && what === SIGN && !isSignature(value)) err = errors.badHookAnswer()
    if (err) more(native.feedHookDone(handle, id, FAILED, errors.keep(err)))
    else more(native.feedHookDone(handle, id, DONE, reply(what, value)))
  })
}

function ask (feed, { crypto, onwrite }, peers, what, [first, second, third], cb) {
  if (what === SIGN) return crypto.sign(first, feed.secretKey, cb)
  if (what === VERIFY) return crypto.verify(first, second, feed.key, cb)
  if (what === WRITE) return onwrite(first, second, peers.get(third) || null, cb)
}

function reply (what, value) {
  if (what === SIGN) return Buffer.from(value)
  return what === VERIFY ? !!value : undefined
}

function isSignature (value) {
  return value instanceof Uint8Array && value.byteLength === SIGNATURE_SIZE
}

// Asks `onwrite` about the values of an append, the first of which would become block `index`;
// `done(err)` when all have answered.
function beforeAppend ({ onwrite }, values, index, done) {
  let missing = values.length
  let error = null
  if (missing === 0) return done(null)
  values.forEach((value, i) => hook((cb) => onwrite(index + i, value, null, cb), (err) => {
    error = error || err
    if (--missing === 0) done(error)
  }))
}

module.exports = { hooksOf, answer, beforeAppend }
