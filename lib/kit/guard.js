/*
 * Guard: holds functions back while somebody asks to wait.
 *
 * `wait()` and `continue()` come in pairs; `ready(fn)` runs `fn` at once when nobody waits, else
 * when the last one continued. The last `continue` takes effect in the next tick, so that who
 * continues may still make others wait.
 *
 * Invariant: a function given to `ready` runs once, however the guard ends.
 * Source: nanoguard@1.3.0. There `destroy` forgets to run what is held back, and the last held runs
 * first; both are mended here.
 */
'use strict'

const errors = require('./errors')
const { each } = require('./async')

class Guard {
  #count = 0
  #held = []
  #depends = null

  get waiting () {
    return this.#count > 0
  }

  // From now on what is ready here waits for `guard` as well.
  depend (guard) {
    if (this.#depends !== null) throw errors.guardDepends()
    this.#depends = guard
  }

  wait () {
    this.#count++
  }

  continue (cb, err, value) {
    if (this.#count === 1) process.nextTick(() => this.continueSync())
    else if (this.#count > 1) this.#count--
    if (cb) cb(err, value)
  }

  continueSync (cb, err, value) {
    if (this.#count > 0) this.#count--
    if (this.#count > 0) return
    this.#release()
    if (cb) cb(err, value)
  }

  // Waits, and gives a function that continues once.
  waitAndContinue () {
    let continued = false
    this.wait()
    return () => {
      if (continued) return false
      continued = true
      this.continue()
      return true
    }
  }

  ready (fn) {
    if (this.#held === null || this.#count === 0) this.#run(fn)
    else this.#held.push(fn)
  }

  destroy () {
    if (this.#held === null) return
    this.#release()
    this.#held = null
  }

  #release () {
    if (this.#held === null) return
    const held = this.#held
    this.#held = []
    each(held, (fn) => this.#run(fn))
  }

  #run (fn) {
    if (this.#depends === null) fn()
    else this.#depends.ready(fn)
  }
}

module.exports = Guard
