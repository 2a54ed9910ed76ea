/*
 * Timer: calls a function after `ms` milliseconds without `refresh`. Never keeps the process alive.
 *
 * Source: timeout-refresh@1.0.3; `ms` is read by users of `stream.timeout`.
 */
'use strict'

class Timer {
  #timeout

  constructor (ms, fn) {
    this.ms = ms
    this.#timeout = setTimeout(fn, ms)
    this.#timeout.unref()
  }

  // Begins anew; also after the function was called.
  refresh () {
    this.#timeout.refresh()
  }

  destroy () {
    clearTimeout(this.#timeout)
  }
}

module.exports = Timer
