/*
 * Peer: one remote on one feed, as programs see it.
 *
 * What it tells about the remote is read from the core when asked for; after its removal it keeps
 * what was read last.
 *
 * Invariant: one object from 'peer-add' to 'peer-remove', the same in every event.
 * Source: hypercore@9.12.0 lib/replicate.js. v9's README calls `remotePublicKey` `publicKey`; both
 * are here.
 */
'use strict'

const INNER = require('../kit/inner')
const check = require('../kit/check')
const { bytes } = require('../kit/codec')
const native = require('../core/native')
const border = require('../core/border')
const { more } = require('../core/queue')

// Places in what `native.peerInfo` gives.
const { OPENED, LENGTH, DOWNLOADING, UPLOADING, ACK, INFLIGHT, DOWN_BLOCKS, DOWN_BYTES, UP_BLOCKS, UP_BYTES } = border.peer
const NOTHING_YET = [false, 0, true, true, false, 0, 0, 0, 0, 0]

let lastId = 0

class Peer {
  // `opts`: download, upload, live, ack, maxRequests, as `replicate` takes them. `isForeign`: the
  // stream is not of this package.
  constructor (feed, opts, isForeign) {
    this.feed = feed
    this.stream = null // its channel, set when it is made
    this.live = !!opts.live
    this.sparse = feed.sparse
    this.ack = !!opts.ack
    this.downloading = !!(typeof opts.download === 'boolean' ? opts.download : feed.downloading)
    this.uploading = !!(typeof opts.upload === 'boolean' ? opts.upload : feed.uploading)
    this.maxRequests = check.requests(opts.maxRequests, check.requests(feed.maxRequests, border.limits.REQUESTS))
    this.remoteExtensions = feed.extensions.remote()
    Object.defineProperty(this, INNER, { value: { id: ++lastId, last: NOTHING_YET, opened: false, isForeign } })
  }

  get remoteOpened () {
    return !!info(this)[OPENED]
  }

  get remoteLength () {
    return info(this)[LENGTH]
  }

  get remoteDownloading () {
    return !!info(this)[DOWNLOADING]
  }

  get remoteUploading () {
    return !!info(this)[UPLOADING]
  }

  get remoteAck () {
    return !!info(this)[ACK]
  }

  // The core keeps the requests; here they are as many empty places.
  get inflightRequests () {
    return new Array(info(this)[INFLIGHT]).fill(null)
  }

  // Null when the feed keeps no statistics.
  get stats () {
    if (!this.feed[INNER].stats) return null
    const all = info(this)
    return {
      uploadedBytes: all[UP_BYTES],
      uploadedBlocks: all[UP_BLOCKS],
      downloadedBytes: all[DOWN_BYTES],
      downloadedBlocks: all[DOWN_BLOCKS]
    }
  }

  // Blocks that the remote has and we have not.
  get remoteBitfield () {
    const { handle } = this.feed[INNER]
    return { get: (index) => check.isIndex(index) && native.peerHas(handle, this[INNER].id, index) && !native.feedHas(handle, index, index + 1) }
  }

  get remotePublicKey () {
    return this.stream.stream.remotePublicKey
  }

  get publicKey () {
    return this.remotePublicKey
  }

  get remoteAddress () {
    return this.stream.stream.remoteAddress
  }

  get remoteType () {
    return this.stream.stream.remoteType
  }

  setDownloading (downloading) {
    downloading = !!downloading
    if (downloading === this.downloading) return
    this.downloading = downloading
    sendStatus(this)
  }

  setUploading (uploading) {
    uploading = !!uploading
    if (uploading === this.uploading) return
    this.uploading = uploading
    sendStatus(this)
  }

  // Sends an encoded extension message; `id` is the extension's.
  extension (id, message) {
    message = bytes(message)
    if (id >= 0) more(native.peerExtension(this.feed[INNER].handle, this[INNER].id, id, message))
  }

  close () {
    more(native.peerClose(this.feed[INNER].handle, this[INNER].id))
  }

  // A peer's fault ends its stream.
  destroy (err) {
    this.stream.destroy(err)
  }
}

// The peer is removed: the core knows nothing of it any more.
function keepLast (peer, last) {
  if (last.length > 0) peer[INNER].last = last
}

function info (peer) {
  const inner = peer[INNER]
  const now = native.peerInfo(peer.feed[INNER].handle, inner.id)
  if (now) inner.last = now
  return inner.last
}

function sendStatus (peer) {
  more(native.peerStatus(peer.feed[INNER].handle, peer[INNER].id, peer.downloading, peer.uploading))
}

Peer.keepLast = keepLast

module.exports = Peer
