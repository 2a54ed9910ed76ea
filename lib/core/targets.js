/*
 * Targets: feeds and streams by number, so that events find them; held weakly.
 *
 * ```text
 * register(feed) -> 7        event [Append, 7, ...] -> target(7)[EVENT](kind, event)
 * ```
 * Calls that may wait for ever belong to their target and go with it; calls that must be answered
 * are kept in `operations`.
 *
 * Invariant: a target that nobody else holds is collected, whatever waits on it.
 */
'use strict'

// What feeds and streams have: a method for their events, and their waiting callbacks by operation.
const EVENT = Symbol('event')
const WAITING = Symbol('waiting')

const targets = new Map() // number -> entry
const ops = new Map() // operation that may wait for ever -> entry
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
  for (const op of targets.get(id).ops) ops.delete(op)
  targets.delete(id)
}

// The feed or stream with this number, if there is one still.
function target (id) {
  const entry = targets.get(id)
  return entry && entry.ref.deref()
}

// `fn` is called when operation `op` of `target` is answered, if that ever happens.
function keep (target, op, fn) {
  const { entry, calls } = target[WAITING]
  calls.set(op, fn)
  entry.ops.add(op)
  ops.set(op, entry)
}

// The function that waits for this answer, which is forgotten; undefined if there is none.
function release (op) {
  const entry = ops.get(op)
  if (entry === undefined) return undefined
  ops.delete(op)
  entry.ops.delete(op)
  const target = entry.ref.deref()
  if (!target) return undefined
  const { calls } = target[WAITING]
  const fn = calls.get(op)
  calls.delete(op)
  return fn
}

module.exports = { EVENT, register, target, keep, release }
