/*
 * Replicate: puts a feed on a stream.
 *
 * ```text
 * stream made or given -> feed open -> (onfeedauthenticate says yes) -> Peer made, attached in the core -> 'peer-add', 'replicating'
 * ```
 * All of it happens in one turn when the feed is open and nobody has to be asked. Until the peer
 * has opened, or is gone, `ifAvailable` waits.
 *
 * A stream of npm `hypercore-protocol` is as good as one of ours.
 *
 * Invariant: a feed is on a stream at most once; doing it twice is harmless.
 * Source: hypercore@9.12.0 lib/replicate.js `replicate`.
 */
'use strict'

const INNER = require('../kit/inner')
const Peer = require('./peer')
const Protocol = require('../stream/protocol')
const check = require('../kit/check')
const errors = require('../kit/errors')
const foreign = require('./foreign')
const { hook } = require('../kit/async')
const { halt } = require('../stream/flow')
const native = require('../core/native')
const { limits: { REQUESTS } } = require('../core/border')
const { more } = require('../core/queue')

// `initiator` is a boolean, or a stream, or options with an `initiator`. Gives the stream.
function replicate (feed, initiator, opts) {
  if (!opts && hasInitiator(initiator)) [initiator, opts] = [initiator.initiator, initiator]
  opts = opts || {}
  if (opts.extensions) throw errors.peerExtensions()
  check.requests(opts.maxRequests, REQUESTS)
  const stream = streamFor(feed, initiator, opts)

  feed.ifAvailable.wait()
  if (feed.opened && !feed.closing && !feed.closed) onready(null)
  else feed.open(onready)
  return stream

  function onready (err) {
    feed.ifAvailable.continue()
    if (err) stream.destroy(err)
    else if (!feed.key) stream.destroy(errors.noKey())
    else if (isSecure(opts) && opts.onfeedauthenticate) afterHandshake(feed, stream, () => authenticate(feed, stream, opts))
    else attach(feed, stream, opts)
  }
}

function hasInitiator (value) {
  return typeof value === 'object' && value !== null && typeof value.initiator === 'boolean' && !Protocol.isProtocolStream(value)
}

function streamFor (feed, initiator, opts) {
  const stream = Protocol.isProtocolStream(initiator) ? initiator : opts.stream
  if (!stream) return new Protocol(initiator, { ...opts, keyPair: opts.keyPair || feed.noiseKeyPair })
  if (!Protocol.isProtocolStream(stream) || typeof stream.open !== 'function') throw errors.badStream()
  return stream
}

function isSecure ({ noise, encrypted }) {
  return !(noise === false && encrypted === false)
}

function isFree (feed, stream) {
  return !stream.destroyed && !feed.closing && !feed.closed && !stream.opened(feed.key)
}

function afterHandshake (feed, stream, done) {
  if (stream.remotePublicKey) return done()
  const resume = feed.ifAvailable.waitAndContinue()
  stream.setMaxListeners(0)
  stream.on('close', once)
  stream.on('handshake', once)

  function once () {
    resume()
    stream.off('close', once)
    stream.off('handshake', once)
    done()
  }
}

// Asks the application whether this remote may have this feed.
function authenticate (feed, stream, opts) {
  if (!isFree(feed, stream)) return
  const resume = feed.ifAvailable.waitAndContinue()
  hook((cb) => opts.onfeedauthenticate(feed, stream.remotePublicKey, cb), (err) => {
    resume()
    if (!isFree(feed, stream)) return
    if (err) stream.close(feed.discoveryKey)
    else attach(feed, stream, opts)
  })
}

function attach (feed, stream, opts) {
  if (!isFree(feed, stream)) return
  const isForeign = !(stream instanceof Protocol)
  if (isForeign && isSecure(opts) && foreign.isStranger(stream, feed.key)) return stream.close(feed.discoveryKey)
  if (!isForeign && !stream.admits(feed.key)) return

  const peer = new Peer(feed, opts, isForeign)
  const { id } = peer[INNER]
  feed[INNER].peers.set(id, peer)
  feed.peers.push(peer)
  feed.ifAvailable.wait() // until the events PeerOpen or PeerRemove
  stream.setMaxListeners(0)
  const spec = {
    live: peer.live,
    ack: peer.ack,
    download: peer.downloading,
    upload: peer.uploading,
    maxRequests: peer.maxRequests
  }
  if (isForeign) peer.stream = foreign.attach(feed, stream, peer, spec, (halt) => afterAppends(feed, halt))
  else {
    peer.stream = stream.adopt(peer, feed[INNER].js === null)
    afterAppends(feed, () => halt(stream))
    more(native.streamAttach(stream[INNER].handle, feed[INNER].handle, id, spec))
  }
  feed.emit('peer-add', peer)
  feed.emit('replicating', stream)
}

// What was appended before `replicate` is replicated, though it is not written yet: the remote is
// not heard before.
function afterAppends ({ [INNER]: { batcher } }, halt) {
  if (batcher.isBusy) batcher.push([], [], halt())
}

module.exports = replicate
