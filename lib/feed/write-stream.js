/*
 * Write stream: appends what is written, as a Node Writable of values.
 *
 * What is written in one turn, or while an append is under way, becomes one batch. `maxBlockSize`
 * cuts longer values (0: never), in bytes or, for strings, characters.
 *
 * Source: hypercore-streams@1.0.1 index.js.
 */
'use strict'

const { Writable } = require('stream')

// Values that may be collected before `write` says that it is enough.
const COLLECTED = 128

class WriteStream extends Writable {
  constructor (feed, opts) {
    super({ objectMode: true, highWaterMark: COLLECTED })
    this.feed = feed
    this.maxBlockSize = (opts && opts.maxBlockSize) || 0
  }

  // The first write of a turn waits for the others.
  write (...args) {
    if (this.writableCorked === 0 && !this.destroyed && !this.writableEnded) {
      this.cork()
      process.nextTick(() => this.uncork())
    }
    return super.write(...args)
  }

  _write (value, encoding, cb) {
    this.#append([value], cb)
  }

  _writev (chunks, cb) {
    this.#append(chunks.map(({ chunk }) => chunk), cb)
  }

  #append (values, cb) {
    if (this.maxBlockSize > 0) values = values.flatMap((value) => cut(value, this.maxBlockSize))
    this.feed.append(values, (err) => cb(err))
  }
}

function cut (value, size) {
  if (!(value.length > size)) return [value]
  const pieces = []
  for (let i = 0; i < value.length; i += size) pieces.push(value.slice(i, i + size))
  return pieces
}

module.exports = WriteStream
