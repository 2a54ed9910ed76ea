/*
 * Queue: the one order in which a program hears of things; the door to the native core, one for
 * each JavaScript environment.
 *
 * ```text
 * feed, stream --- call ---> native --- done at once, or by a worker ---> its events
 *      ^                        |                                            | pull
 *      |                        '--- answered at once: soon(fn) -----> queue <-'
 *      '-- callbacks by operation, events by target <---- drain ---------'
 * ```
 * A call that left events behind says so (`more`), and they are dispatched in the next tick;
 * workers call `wake`. What is answered at once needs no place in the queue while the queue is
 * empty: it is called in the next tick. When the turn is over (`turn`), the event loop turns before
 * the queue goes on.
 *
 * Invariant: what happened first is heard first; no callback runs before the method that took it
 * returned; what one throws is an ordinary uncaught exception, and keeps the others from nothing.
 */
'use strict'

const native = require('./native')
const turn = require('./turn')
const targets = require('./targets')
const alive = require('./alive')
const { answer } = require('./operations')
const { Done, Fail, Again, Timer, Busy } = require('./border').events
const errors = require('../kit/errors')

// An event of our own: [LOCAL, fn, args] calls the function when its turn comes.
const LOCAL = -1

const engine = native.engineNew(wake)

let queue = []
let next = 0
let isScheduled = false
let isDraining = false
let isTicking = false // while draining: something was put into the next tick, and goes before events that come later
let isWaiting = false // the core has events

// Notes that a native call left events behind.
function more (flag) {
  if (flag === true) wake()
}

function wake () {
  isWaiting = true
  schedule()
}

function schedule () {
  if (isScheduled || isDraining) return
  isScheduled = true
  process.nextTick(drain)
}

function scheduleLater () {
  if (isScheduled || isDraining) return
  isScheduled = true
  setImmediate(drain)
}

function drain () {
  isScheduled = false
  isDraining = true
  isTicking = false
  let isUp = false
  try {
    while (hasNext()) {
      isUp = turn.isUp()
      if (isUp) break
      dispatch(queue[next++])
    }
  } finally {
    isDraining = false
    if (isUp) scheduleLater()
    else if (isWaiting || next < queue.length) schedule() // something is in the next tick, or a callback threw
  }
}

// Whether there is an event to dispatch in this tick. Those that were are let go.
function hasNext () {
  if (isTicking) return false
  if (next < queue.length) return true
  queue = []
  next = 0
  return isWaiting && pull()
}

// Puts the core's events behind what is queued. False if there are none.
function pull () {
  isWaiting = false
  const events = native.engineDrain(engine)
  if (events === null) return false
  if (next === queue.length) {
    queue = events
    next = 0
  } else {
    for (const event of events) queue.push(event)
  }
  return true
}

function dispatch (event) {
  const kind = event[0]
  if (kind === Done) return answer(event[1], null, event)
  if (kind === Fail) return answer(event[1], errors.fromNative(event[2], event[3], event[4]), event)
  if (kind === LOCAL) return event[1](...event[2])
  if (kind === Again) return goOnLater()
  if (kind === Timer) return setAlarm(event[1])
  if (kind === Busy) return event[1] > 0 ? alive.hold() : alive.release()
  const target = targets.target(event[1])
  if (target) target[targets.EVENT](kind, event)
}

// The core has more to do than one turn holds.
function goOnLater () {
  isWaiting = true
  turn.end()
}

// The core wants to hear when `ms` milliseconds have passed; a new alarm replaces the one before.
// While nothing waits there is none.
let alarm = null
function setAlarm (ms) {
  clearTimeout(alarm)
  alarm = setTimeout(() => more(native.engineTick(engine)), ms)
  alarm.unref()
}

// Calls `fn` in the next tick, behind everything that happened before, with exactly `args`.
function soon (fn, ...args) {
  if (isWaiting) pull()
  if (next === queue.length && !turn.isUp()) {
    isTicking = true
    return process.nextTick(fn, ...args)
  }
  push(fn, args)
}

function push (fn, args) {
  queue.push([LOCAL, fn, args])
  scheduleLater()
}

// A promise for a value that is here already.
function settled (value) {
  if (next === queue.length && !isWaiting && !turn.isUp()) return Promise.resolve(value)
  return new Promise((resolve) => soon(resolve, value))
}

// ## Storages in JavaScript

// Runs `fn`, in which a storage of a caller's is asked for something. What it throws is the
// storage's fault.
let asking = 0
function ask (fn) {
  asking++
  try {
    fn()
  } finally {
    asking--
  }
}

// Calls `fn` at once, or, when events are on their way, behind them; and later when it is time to
// give way, or when what it throws would meet a storage that is being asked. For callers who are
// called by somebody else.
function behind (fn) {
  if (asking > 0) return soon(fn)
  if (isWaiting) pull()
  if (next < queue.length) push(fn, [])
  else if (isScheduled) process.nextTick(fn)
  else if (turn.isUp()) push(fn, [])
  else fn()
}

module.exports = { engine, more, soon, settled, ask, behind }
