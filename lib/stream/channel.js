/*
 * Channel: one feed on one stream, as programs see it (`stream.open`, `peer.stream`,
 * `stream.channels`).
 *
 * ```text
 * discovered (the remote alone has opened it: no key)    opened (we have)    closed
 * channel.have({ start }), channel.request({ index }), ...  ->  the remote's handlers.onhave(message), ...
 * ```
 * A feed of ours speaks through the core, and has no handlers here.
 *
 * Invariant: `handlers.onclose` is called once for each time that it was opened.
 * Source: hypercore-protocol@8.0.7 index.js `Channel`.
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const { KIND, toNative, extension } = require('./messages')
const native = require('../core/native')
const { more } = require('../core/queue')

class Channel {
  // `key` is null while only the remote has opened it.
  constructor (stream, discoveryKey, key) {
    this.stream = stream
    this.state = stream.state
    this.discoveryKey = discoveryKey
    this.key = key
    this.handlers = null
    this.opened = false
    this.remoteOpened = false
    // The core's number (0 until it is needed); a feed of ours speaks here; the remote had opened
    // it before; the feed's peer.
    Object.defineProperty(this, INNER, { value: { number: 0, isAdopted: false, isLate: false, peer: null } })
  }

  get closed () {
    return !this.opened
  }

  get remoteVerified () {
    return this.opened && this.remoteOpened && native.streamRemoteVerified(this.stream[INNER].handle, this.key)
  }

  // What they count is the core's business; -1 means not open.
  get localId () {
    return this.opened ? number(this) : -1
  }

  get remoteId () {
    return this.remoteOpened ? 0 : -1
  }

  options (message) { return send(this, KIND.options, message) }
  status (message) { return send(this, KIND.status, message) }
  have (message) { return send(this, KIND.have, message) }
  unhave (message) { return send(this, KIND.unhave, message) }
  want (message) { return send(this, KIND.want, message) }
  unwant (message) { return send(this, KIND.unwant, message) }
  request (message) { return send(this, KIND.request, message) }
  cancel (message) { return send(this, KIND.cancel, message) }
  data (message) { return send(this, KIND.data, message) }

  extension (id, message) {
    return hand(this, () => extension(id, message))
  }

  close () {
    if (this.opened) this.stream.close(this.discoveryKey)
  }

  destroy (err) {
    this.stream.destroy(err)
  }
}

function send (channel, kind, message) {
  return hand(channel, () => toNative(kind, message || {}))
}

// False when enough waits to be sent. A message that cannot be is the caller's fault; one on a
// closed channel goes nowhere.
function hand (channel, make) {
  const { stream } = channel
  try {
    const message = make()
    if (channel.opened && !stream.destroyed) more(native.streamSend(stream[INNER].handle, number(channel), message))
  } catch (err) {
    throw errors.badMessage(err)
  }
  return stream.readableLength < stream.readableHighWaterMark
}

function number (channel) {
  const inner = channel[INNER]
  if (inner.number === 0) inner.number = channel.stream.numberOf(channel)
  return inner.number
}

module.exports = Channel
