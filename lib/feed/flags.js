/*
 * Flags: who listens to a feed, as far as the core must know.
 *
 * Blocks come with 'download' and 'upload' events only while somebody listens: copies that nobody
 * wants are never made. So the methods of EventEmitter that change listeners also tell the core.
 */
'use strict'

const { EventEmitter } = require('events')
const INNER = require('../kit/inner')
const native = require('../core/native')
const { hears: { DOWNLOADS, UPLOADS } } = require('../core/border')

// Tells the core, when something changed.
function update (feed) {
  const inner = feed[INNER]
  const flags = (feed.listenerCount('download') > 0 ? DOWNLOADS : 0) |
    (feed.listenerCount('upload') > 0 ? UPLOADS : 0)
  if (flags === inner.flags) return
  inner.flags = flags
  native.feedFlags(inner.handle, flags)
}

// Methods for the feed's prototype, in the place of EventEmitter's.
const methods = {}

for (const name of ['on', 'addListener', 'prependListener', 'off', 'removeListener', 'removeAllListeners']) {
  const plain = EventEmitter.prototype[name]
  methods[name] = function (event) {
    plain.apply(this, arguments)
    if (event === 'download' || event === 'upload' || event === undefined) {
      if (this[INNER]) update(this)
    }
    return this
  }
}

module.exports = { update, methods }
