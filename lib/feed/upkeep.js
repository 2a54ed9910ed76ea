/*
 * Upkeep: audit, truncate, finalize.
 *
 * Source: hypercore@9.12.0 index.js.
 */
'use strict'

const check = require('../kit/check')
const { promised } = require('../kit/async')
const native = require('../core/native')
const { asked } = require('./wait')

const methods = {
  // Reads and checks all blocks that are here, and forgets the bad ones: { valid, invalid }, and
  // `corrupt`, the indices of the bad ones. v9 had the first two alone, and programs compare
  // reports: the third does not show in a listing.
  audit (cb) {
    if (typeof cb !== 'function') return promised(true, (done) => this.audit(done))
    asked(this, 'audit', {}, null, (handle, op) => native.feedAudit(handle, op), (err, valid, corrupt) => {
      if (err) cb(err)
      else cb(null, Object.defineProperty({ valid, invalid: corrupt.length }, 'corrupt', { value: corrupt }))
    })
  },

  // Makes the feed `length` blocks long, if it is longer. Who has shared it before, and appends
  // again, forks it.
  truncate (length, cb) {
    if (typeof cb !== 'function') return promised(true, (done) => this.truncate(length, done))
    asked(this, 'truncate', { length }, () => check.length(length), (handle, op) => native.feedTruncate(handle, op, length), (err) => cb(err))
  },

  // Gives a static feed its key, which is the hash of what it holds; nothing can be appended that
  // readers would believe.
  finalize (cb) {
    if (typeof cb !== 'function') return promised(true, (done) => this.finalize(done))
    asked(this, 'finalize', {}, null, (handle, op) => native.feedFinalize(handle, op), (err, key, discoveryKey) => {
      if (err) return cb(err)
      this.key = key
      this.discoveryKey = discoveryKey
      cb(null)
    })
  }
}

module.exports = methods
