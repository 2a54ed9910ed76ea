/*
 * Border: the numbers and names that both sides of the native border must agree on, as Rust has
 * them (src/node/border.rs).
 *
 * ```text
 * events   { Done: 0, Fail: 1, .. }              what is dispatched; each has a handler in this package
 * storage, answer, rest, files, step, place      storages in JavaScript
 * hook, hears, taken, peer                       questions, listeners, chunks, places in peerInfo
 * turn, limits, messages, extension              when the event loop turns; how much; what is said about a feed
 * ```
 * Invariant: no number of the border stands anywhere else in JavaScript.
 */
'use strict'

module.exports = require('./native').border()
