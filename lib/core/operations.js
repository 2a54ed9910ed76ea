/*
 * Operations: what the core was asked to do, by number, until it answers.
 *
 * ```text
 * op = next(); must(op, (err, a, b) => ..)      native.feedX(handle, op, ..)      event [Done, op, a, b] -> answer
 * ```
 * Operations that must finish (`must`) keep their feed in memory. Operations that may wait for ever
 * (`mayWait`) do not: their callbacks belong to the feed and go with it. Neither keeps the process
 * alive.
 *
 * Invariant: each is answered once.
 */
'use strict'

const targets = require('./targets')
const { Done } = require('./border').events

const waiting = new Map()
let last = 0

function nextOp () {
  return ++last
}

// `fn(err, a, b)` will be called with the answer to `op`.
function must (op, fn) {
  waiting.set(op, fn)
}

// The same for an operation that may never be answered; `target` is its feed.
function mayWait (target, op, fn) {
  targets.keep(target, op, fn)
}

// `event` is [kind, op, values...]; `err` null, or what the operation failed with.
function answer (op, err, event) {
  let fn = waiting.get(op)
  if (fn !== undefined) waiting.delete(op)
  else fn = targets.release(op)
  if (fn !== undefined) call(fn, err, event)
}

// With as many arguments as there are values: programs count them.
function call (fn, err, event) {
  if (err !== null) fn(err)
  else if (event.length === 2) fn(null)
  else if (event.length === 3) fn(null, event[2])
  else if (event.length === 4) fn(null, event[2], event[3])
  else fn(null, event[2], event[3], event[4], event[5])
}

// A function that hands on an append's answer, which came with a call, in `numbers` from place `i`
// on: operation, first block, length, byte length, live.
function appended (numbers, i) {
  const event = [Done, numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4] === 1]
  return () => answer(event[1], null, event)
}

module.exports = { nextOp, must, mayWait, answer, appended }
