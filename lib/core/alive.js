/*
 * Alive: keeps the process going while something unfinished must not be cut off by its end.
 *
 * Workers of the core at work (event Busy), and streams whose chunk waits to be taken in, do; such
 * a stream is kept in memory as well, since nobody but its own writer may know of it. Calls that
 * wait for peers do not, and a storage in JavaScript does so itself while it means to answer.
 */
'use strict'

const held = new Set()
let holds = 0
let timer = null

function hold (target = null) {
  if (target !== null) held.add(target)
  if (holds++ > 0) return
  if (timer === null) timer = setInterval(noop, 2 ** 31 - 1)
  else timer.ref()
}

function release (target = null) {
  held.delete(target)
  if (--holds === 0) timer.unref()
}

function noop () {}

module.exports = { hold, release }
