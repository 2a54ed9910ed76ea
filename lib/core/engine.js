/*
 * The engine: the one door to the native core, one for each JavaScript environment.
 *
 * ```text
 * feed, stream --- call ---> native --- answered inline or by a worker ---> queue of events
 *      ^                                                                        |
 *      '-- callbacks by operation number, events by feed or stream number <-- drain
 * ```
 * A call that left events behind says so (`more`), and the queue is drained in the next tick; work that a worker did calls `wake`.
 * A drain dispatches everything in order. When it lasted longer than a millisecond it goes on after the event loop turned, so that sockets and timers get their turn.
 *
 * Operations that must finish (`must`) keep their feed in memory. Operations that may wait for ever (`mayWait`) do not: their callbacks
 * belong to the feed and go with it. Neither keeps the process alive: that is what workers do while they work (`Busy`), and what a
 * storage in JavaScript does while it means to answer.
 *
 * Invariant: events are dispatched in the order of the queue, each once, whatever the callbacks throw.
 */
'use strict'

const native = require('../native')
const errors = require('../kit/errors')

const Kind = native.kinds()
const { Done, Fail, Again, Busy } = Kind

// An event of our own: [LOCAL, fn, args] calls the function when its turn comes.
const LOCAL = -1

// What feeds and streams have: a method for their events, and their waiting callbacks.
const EVENT = Symbol('event')
const WAITING = Symbol('waiting')

// Milliseconds a drain may last, and the events it takes before it first looks at the clock.
const BUDGET = 1
const BLIND = 64
// The same for pieces of work that are no more than so many events' worth.
const SMALL_BUDGET = 10
const HEAVY = 4
// Fewer small pieces than this are done in one turn whatever the clock says: a process that is not given the processor is not late.
const MANY = 512
const ENDLESS = 1536
// Milliseconds that a program may keep the event loop from turning by asking on and on, each time when it was answered. With storages
// that answer in nextTick programs rely on being through before it turns, so this is long.
const PATIENCE = 40

const engine = native.engineNew(wake)

// ## The queue

let queue = []
let next = 0
let scheduled = false
let draining = false
let givingWay = false
let dispatched = 0 // since the event loop turned, as far as we know
let isWaiting = false // the core has events

// Notes that a native call left events behind. Gives back what it was told.
function more (flag) {
  if (flag === true) wake()
  return flag
}

function wake () {
  isWaiting = true
  schedule()
}

function schedule () {
  if (scheduled || draining) return
  scheduled = true
  process.nextTick(drain)
}

function scheduleLater () {
  if (scheduled) return
  scheduled = true
  setImmediate(drain)
}

function drain () {
  scheduled = false
  draining = true
  let count = 0
  let empty = false
  let late = false
  givingWay = false
  try {
    while (!empty && !late) {
      if (next === queue.length && !refill()) empty = true
      else {
        dispatch(queue[next++])
        count++
        dispatched++
        late = givingWay || (count >= MANY && spent() > SMALL_BUDGET) || (dispatched >= ENDLESS && spent() > PATIENCE)
      }
    }
  } finally {
    draining = false
    if (late) scheduleLater()
    else if (!empty) schedule() // a callback threw
  }
}

// The core has more to do than one turn holds: the event loop turns first.
function giveWay () {
  givingWay = isWaiting = true
}

function refill () {
  if (!isWaiting) return false
  isWaiting = false
  queue = native.engineDrain(engine) || []
  next = 0
  return queue.length > 0
}

function dispatch (event) {
  const kind = event[0]
  if (kind === Done) return answer(event[1], null, event)
  if (kind === Fail) return answer(event[1], errors.fromNative(event[2], event[3], event[4]), event)
  if (kind === LOCAL) return event[1](...event[2])
  if (kind === Again) return giveWay()
  if (kind === Busy) return event[1] > 0 ? hold() : release()
  const target = targetOf(targets.get(event[1]))
  if (target) target[EVENT](kind, event)
}

// Calls `fn` in the next tick, behind everything that is queued already, with exactly `args`.
function soon (fn, ...args) {
  if (next === queue.length && !tired()) return process.nextTick(fn, ...args)
  queue.push([LOCAL, fn, args])
  if (!draining) scheduleLater()
}

// Runs `fn`, in which a storage of a caller's is asked for something. What it throws is the storage's fault.
let asking = 0
function ask (fn) {
  asking++
  try {
    fn()
  } finally {
    asking--
  }
}

// Calls `fn` at once, or, when events are on their way, behind them; and later when it is time to give way, or when what it throws would
// meet a storage that is being asked. For callers who are called by somebody else.
function behind (fn) {
  if (asking > 0) soon(fn)
  else if (next < queue.length) queue.push([LOCAL, fn, []])
  else if (scheduled) process.nextTick(fn)
  else if (!exhausted()) fn()
  else {
    queue.push([LOCAL, fn, []])
    if (!draining) scheduleLater()
  }
}

// ## Giving way

let turnStart = 0
let looks = 0
let work = 0

// Milliseconds since the event loop turned, as far as we know: since the first question in this turn.
function spent () {
  const now = performance.now()
  if (turnStart === 0) {
    turnStart = now
    setImmediate(turned)
  }
  return now - turnStart
}

function turned () {
  turnStart = 0
  work = 0
  looks = 0
  dispatched = 0
}

// True when it is time to give way, after `weight` events' worth of work. Little work is always done in one turn, however slow the machine,
// and small pieces may take longer: programs that replicate in memory expect to be through with them.
function late (weight) {
  const elapsed = spent()
  work += weight
  return weight > HEAVY ? work > BLIND && elapsed > BUDGET : work > MANY && elapsed > SMALL_BUDGET
}

// True when it is time to give way. Looks at the clock at every 64th call only.
function tired () {
  return ++looks > MANY && (looks & 63) === 0 && spent() > SMALL_BUDGET
}

// The same for somebody who asks on and on.
function exhausted () {
  return ++looks > ENDLESS && (looks & 63) === 0 && spent() > PATIENCE
}

// A promise for a value that is here already, which gives way now and then.
function settled (value) {
  return tired() ? new Promise((resolve) => setImmediate(resolve, value)) : Promise.resolve(value)
}

// ## Operations

const strong = new Map()
const weak = new Map()
let lastOp = 0

function nextOp () {
  return ++lastOp
}

// `fn(err, a, b)` will be called with the answer to `op`.
function must (op, fn) {
  strong.set(op, fn)
}

// The same for an operation that may never be answered; `target` is its feed.
function mayWait (target, op, fn) {
  const { entry, calls } = target[WAITING]
  calls.set(op, fn)
  entry.ops.add(op)
  weak.set(op, entry)
}

function answer (op, err, event) {
  const fn = strong.get(op)
  if (fn === undefined) return answerWaiting(op, err, event)
  strong.delete(op)
  call(fn, err, event)
}

// With as many arguments as there are values: programs count them.
function call (fn, err, event) {
  if (err !== null) fn(err)
  else if (event.length === 2) fn(null)
  else if (event.length === 3) fn(null, event[2])
  else if (event.length === 4) fn(null, event[2], event[3])
  else fn(null, event[2], event[3], event[4], event[5])
}

// What a call leaves behind when it brings an append's answer along; see `feedIoWritten`.
const ANSWERS = 4

// A function that hands on an append's answer, which came with a call, in `numbers` from place `i` on: operation, first block, length,
// byte length, live.
function appended (numbers, i) {
  const event = [Done, numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4] === 1]
  return () => answer(event[1], null, event)
}

function answerWaiting (op, err, event) {
  const entry = weak.get(op)
  if (entry === undefined) return
  weak.delete(op)
  entry.ops.delete(op)
  const target = targetOf(entry)
  if (!target) return
  const { calls } = target[WAITING]
  const fn = calls.get(op)
  calls.delete(op)
  call(fn, err, event)
}

// ## Feeds and streams

const targets = new Map()
const dropped = new FinalizationRegistry(forget)
let lastTarget = 0

// Gives a feed or a stream its number. It is forgotten when nobody else holds it.
function register (target) {
  const id = ++lastTarget
  const entry = { ref: new WeakRef(target), ops: new Set() }
  target[WAITING] = { entry, calls: new Map() }
  targets.set(id, entry)
  dropped.register(target, id)
  return id
}

function forget (id) {
  for (const op of targets.get(id).ops) weak.delete(op)
  targets.delete(id)
}

function targetOf (entry) {
  return entry && entry.ref.deref()
}

// ## Keeping the process alive

let holds = 0
let timer = null

function hold () {
  if (holds++ > 0) return
  if (timer === null) timer = setInterval(noop, 2 ** 31 - 1)
  else timer.ref()
}

function release () {
  if (--holds === 0) timer.unref()
}

function noop () {}

module.exports = { native, Kind, engine, EVENT, more, ANSWERS, appended, soon, ask, behind, late, exhausted, settled, nextOp, must, mayWait, register, hold, release }
