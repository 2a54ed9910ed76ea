'use strict'
// A line between two streams: so many milliseconds one way, so many bytes a second, and a socket's
// buffer in front of it.

// What the system takes off a sender's hands before it makes it wait, in bytes.
const BUFFER = 128 * 1024
// Bytes that travel together: what is larger is cut, so that a slow line gives evenly.
const PACKET = 4 * 1024

module.exports = { connect }

// Connects two streams; gives what ends it. Without a rate the line only delays; one that is stalled
// takes everything and delivers nothing.
function connect (one, other, { delay = 0, rate = Infinity, isStalled = false } = {}) {
  const ways = [new Way(one, other, { delay, rate, isStalled }), new Way(other, one, { delay, rate, isStalled })]
  return () => ways.forEach((way) => way.end())
}

class Way {
  constructor (from, to, { delay, rate, isStalled }) {
    Object.assign(this, { from, to, delay, rate, isStalled, free: 0, waiting: [], timer: null, pause: null })
    this.ondata = (chunk) => this.take(chunk)
    from.on('data', this.ondata)
    from.on('error', () => {})
  }

  take (chunk) {
    if (this.isStalled) return
    const now = performance.now()
    for (let at = 0; at < chunk.length; at += PACKET) {
      const packet = chunk.subarray(at, at + PACKET)
      this.free = Math.max(this.free, now) + 1000 * packet.length / this.rate
      this.waiting.push({ packet, due: this.free + this.delay })
    }
    this.hold(this.free - now - 1000 * BUFFER / this.rate)
    this.wind()
  }

  // The sender waits until its buffer has room.
  hold (ms) {
    if (ms <= 0 || this.pause) return
    this.from.pause()
    this.pause = setTimeout(() => {
      this.pause = null
      this.from.resume()
    }, ms)
  }

  wind () {
    if (this.timer || !this.waiting.length) return
    const wait = this.waiting[0].due - performance.now()
    this.timer = wait < 1 ? setImmediate(() => this.deliver()) : setTimeout(() => this.deliver(), wait)
  }

  deliver () {
    this.timer = null
    const now = performance.now()
    const count = this.waiting.findIndex(({ due }) => due > now)
    const due = this.waiting.splice(0, count < 0 ? this.waiting.length : count)
    if (due.length) this.to.write(Buffer.concat(due.map(({ packet }) => packet)))
    this.wind()
  }

  end () {
    this.from.off('data', this.ondata)
    clearTimeout(this.timer)
    clearImmediate(this.timer)
    clearTimeout(this.pause)
    this.waiting = []
  }
}
