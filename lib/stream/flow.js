/*
 * Stream flow: bytes between a stream and the core.
 *
 * ```text
 * feed: a chunk from the remote -> the core, a slice at a time; held until 'Drained' when the core has enough
 * pump: the core -> the readable side, as long as there is room; 'Readable' says when there is more
 * ```
 * Both give way to the event loop when the turn is over.
 *
 * Invariant: the core gets the bytes in order, and no more of them before it said 'Drained'.
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const native = require('../core/native')
const { engine, more } = require('../core/queue')
const { taken, limits: { SLICE }, turn: { HEAVY } } = require('../core/border')
const turn = require('../core/turn')
const { hold, release } = require('../core/alive')

// What we were piped to is closed. If the remote had ended properly, what it sent is still taken
// in, and what we have to say goes nowhere.
function closedAtEnd (stream) {
  if (stream.readableEnded || stream.destroyed) return
  if (stream.writableEnded) stream.resume()
  else stream.destroy(errors.writableClosed())
}

// Pushes what there is to send, as long as there is room.
function pump (stream) {
  const inner = stream[INNER]
  if (inner.pumping || !inner.reading || stream.destroyed || stream.readableEnded) return
  inner.pumping = true
  let chunk = null
  while (inner.reading && !stream.destroyed) {
    if (isUp(inner, chunk)) {
      setImmediate(() => {
        inner.pumping = false
        pump(stream)
      })
      return
    }
    chunk = native.streamRead(inner.handle)
    if (chunk === null) break
    stream.bytesSent += chunk.length
    if (stream.keepAlive !== null) stream.keepAlive.refresh()
    inner.reading = stream.push(chunk)
  }
  inner.pumping = false
  more(native.engineWaits(engine)) // to take bytes makes room, and with room there is more to answer
  if (inner.reading && inner.ending && !stream.destroyed) {
    inner.reading = false
    stream.push(null)
  }
}

// Hands `chunk` from `offset` on to the core, a slice at a time.
function feed (stream, chunk, offset, cb) {
  const inner = stream[INNER]
  while (offset < chunk.length) {
    if (stream.destroyed) return cb(null)
    if (inner.halts > 0) {
      inner.halted = () => feed(stream, chunk, offset, cb)
      return
    }
    if (isUp(inner, chunk)) {
      setImmediate(feed, stream, chunk, offset, cb)
      return
    }
    const slice = chunk.length <= SLICE ? chunk : chunk.subarray(offset, offset + SLICE)
    const flags = native.streamWrite(inner.handle, slice)
    more((flags & taken.EVENTS) !== 0)
    offset += slice.length
    if ((flags & taken.HELD) !== 0) {
      inner.held = () => feed(stream, chunk, offset, cb)
      return hold(stream)
    }
  }
  cb(null)
}

// True when it is time to give way, `chunk` being the last one or the next. Programs that replicate
// between storages in JavaScript expect to be through in one turn, unless they move a lot.
function isUp ({ isPatient }, chunk) {
  if (isPatient) turn.bePatient()
  const size = chunk === null ? 0 : Math.min(SLICE, chunk.length)
  return turn.isUp(size, size <= HEAVY)
}

function drained (stream) {
  const inner = stream[INNER]
  if (inner.held === null) return
  const go = inner.held
  inner.held = null
  release(stream)
  go()
}

// Takes nothing in until the function that this gives is called.
function halt (stream) {
  const inner = stream[INNER]
  inner.halts++
  return () => {
    if (--inner.halts === 0) resume(stream)
  }
}

function resume (stream) {
  const inner = stream[INNER]
  const go = inner.halted
  inner.halted = null
  if (go !== null) go()
}

module.exports = { pump, feed, drained, halt, resume, closedAtEnd }
