/*
 * Channel: one feed on one stream, as programs see it (`peer.stream`, `stream.channels`).
 *
 * Source: hypercore-protocol@8.0.7 index.js `Channel`.
 */
'use strict'

const INNER = require('./inner')
const { native } = require('./engine')

class Channel {
  // `key` is null while only the remote has opened it.
  constructor (stream, discoveryKey, key) {
    this.stream = stream
    this.state = stream.state
    this.discoveryKey = discoveryKey
    this.key = key
  }

  get opened () {
    return native.streamIsOpen(this.stream[INNER].handle, this.discoveryKey)
  }

  get closed () {
    return !this.opened
  }

  get remoteOpened () {
    return native.streamRemoteOpened(this.stream[INNER].handle, this.discoveryKey)
  }

  get remoteVerified () {
    return this.key !== null && native.streamRemoteVerified(this.stream[INNER].handle, this.key)
  }

  close () {
    if (this.opened) this.stream.close(this.discoveryKey)
  }

  destroy (err) {
    this.stream.destroy(err)
  }
}

module.exports = Channel
