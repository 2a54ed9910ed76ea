/*
 * Resource: something that is opened once and closed once, and is an EventEmitter.
 *
 * ```text
 * (new) --open--> opening --ok--> opened --close--> closing --ok--> closed
 *                    |  error: back to (new)            |  error: back to opened
 * ```
 * `open` while opening and `close` while closing join the one that runs. `close` waits for an open
 * that runs, and for everyone who called `active()` until they called `inactive()`. Heirs say what
 * opening and closing do: `_open(cb)`, `_close(cb)`.
 *
 * Invariant: a callback never runs before the method that took it returned. Without a callback,
 * open and close give a promise.
 * Source: nanoresource@1.3.0 emitter.js.
 */
'use strict'

const { EventEmitter } = require('events')
const errors = require('./errors')
const { promised, each, noop } = require('./async')

const QUEUES = Symbol('queues')

// A function, not a class: heirs must be callable without `new`.
function Resource () {
  EventEmitter.call(this)
  this.opening = false
  this.opened = false
  this.closing = false
  this.closed = false
  this.actives = 0
  Object.defineProperty(this, QUEUES, {
    value: { opening: null, preclosing: null, closing: null, fastClose: true }
  })
}

Object.setPrototypeOf(Resource, EventEmitter)
Resource.prototype = Object.create(EventEmitter.prototype, { constructor: { value: Resource } })

Resource.prototype._open = function (cb) {
  process.nextTick(cb, null)
}

Resource.prototype._close = function (cb) {
  process.nextTick(cb, null)
}

Resource.prototype.open = function (cb) {
  if (typeof cb !== 'function') return promised(true, (done) => this.open(done))
  const queues = this[QUEUES]

  if (queues.closing || this.closed) process.nextTick(cb, errors.resourceClosed())
  else if (this.opened) process.nextTick(cb, null)
  else if (queues.opening) queues.opening.push(cb)
  else {
    this.opening = true
    queues.opening = [cb]
    this._open((err) => afterOpen(this, err || null))
  }
}

function afterOpen (resource, err) {
  const queues = resource[QUEUES]
  const waiting = queues.opening
  queues.opening = null
  resource.opening = false
  resource.opened = !err
  try {
    each(waiting, (cb) => cb(err))
  } finally {
    closeWaiting(resource)
  }
}

// Says that the resource is in use, so that a close must wait. False when it is too late for that.
Resource.prototype.active = function (cb) {
  const queues = this[QUEUES]
  if ((queues.fastClose && queues.preclosing) || queues.closing || this.closed) {
    if (cb) process.nextTick(cb, errors.resourceClosed())
    return false
  }
  this.actives++
  return true
}

Resource.prototype.inactive = function (cb, err, value) {
  if (--this.actives === 0) closeWaiting(this)
  if (cb) cb(err, value)
}

// `allowActive`: others may still become active while this close waits.
Resource.prototype.close = function (allowActive, cb) {
  if (typeof allowActive === 'function') return this.close(false, allowActive)
  if (typeof cb !== 'function') return promised(true, (done) => this.close(allowActive, done))
  const queues = this[QUEUES]
  if (allowActive) queues.fastClose = false

  if (this.closed) process.nextTick(cb, null)
  else if (this.actives || queues.opening) (queues.preclosing = queues.preclosing || []).push(cb)
  else if (queues.closing) queues.closing.push(cb)
  else if (!this.opened) {
    this.closed = true
    process.nextTick(cb, null)
  } else {
    this.closing = true
    queues.closing = [cb]
    this._close((err) => afterClose(this, err || null))
  }
}

function closeWaiting (resource) {
  const queues = resource[QUEUES]
  if (!queues.preclosing || resource.actives || queues.opening) return
  const waiting = queues.preclosing
  queues.preclosing = null
  for (const cb of waiting) resource.close(cb || noop)
}

function afterClose (resource, err) {
  const queues = resource[QUEUES]
  const waiting = queues.closing
  queues.closing = null
  resource.closing = false
  resource.closed = !err
  each(waiting, (cb) => cb(err))
}

module.exports = Resource
