/*
 * Turn: when does the event loop get its turn?
 *
 * ```text
 * event loop turned ---- steps: answers, events, chunks, each with a weight ----> over: what is left goes behind a setImmediate
 *                        first look at the clock: the turn begins     native storages and streams: after TURN milliseconds
 *                                                                     storages in JavaScript: after ENDLESS steps and PATIENCE milliseconds
 * ```
 * The thread belongs to the program. Calls that are answered at once are answered in nextTick or by
 * a promise, and a program that asks on and on with each answer would keep timers and sockets
 * waiting for ever; so would a stream that always has more. Programs for hypercore 9 count on being
 * through with memory storages before the event loop turns, so where a storage is in JavaScript
 * there is more patience; heavy pieces of streams have none anywhere.
 *
 * Nobody tells us when the loop turns: a turn begins with our first look at the clock, which also
 * asks for a setImmediate, and ends with that. What a program did before our first look does not
 * count.
 *
 * Invariant: once a turn is over it stays so until the event loop has turned.
 */
'use strict'

const { EVERY, TURN, ENDLESS, PATIENCE, STEP } = require('./border').turn

let start = 0 // when this turn began, in milliseconds; 0: nobody has looked yet
let steps = 0
let limit = TURN // how long this turn may last, in milliseconds
let look = EVERY // the number of steps at which to look at the clock
let isOver = false
let isWornOut = false // over for the patient as well
let isPatient = false // a storage in JavaScript has been used in this turn

// True when the turn is over. Called before each step, and counts it. `bytes` is how much the step
// hashes or copies; `mayBePatient` is false for what should give way where storages are in
// JavaScript, too.
function isUp (bytes = 0, mayBePatient = true) {
  steps += 1 + bytes / STEP
  if (steps >= look) lookAtClock()
  return isPatient && mayBePatient ? isWornOut : isOver
}

function lookAtClock () {
  look = steps + EVERY
  const now = performance.now()
  if (start === 0) begin(now)
  const elapsed = now - start
  if (elapsed > limit) isOver = true
  if (elapsed > PATIENCE && steps > ENDLESS) isOver = isWornOut = true
}

function begin (now) {
  start = now
  setImmediate(turned)
}

// What is asked in a turn is done in it, so a program with many calls in flight goes on for a while
// after a turn is over. That is taken off the next turn.
function turned () {
  limit = Math.max(TURN / 4, TURN - Math.max(0, performance.now() - start - limit))
  start = 0
  steps = 0
  look = EVERY
  isOver = isWornOut = isPatient = false
}

// The core itself has been at work for as long as a turn may last.
function end () {
  if (start === 0) begin(performance.now())
  isOver = isWornOut = true
}

// Bytes that a call has hashed or copied before its answer.
function spend (bytes) {
  steps += bytes / STEP
}

// A storage in JavaScript is used in this turn.
function bePatient () {
  if (isPatient) return
  isPatient = true
  if (start === 0) begin(performance.now())
}

module.exports = { isUp, end, spend, bePatient }
