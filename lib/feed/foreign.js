/*
 * Foreign: a feed on a stream that npm `hypercore-protocol` made (corestore 5, multifeed and others
 * bring their own).
 *
 * ```text
 * the stream's channel -- onhave(message), ... --> core (peerReceive)
 * core -- PeerMessage --> channel.have(message), ...        PeerDone -> channel.close()    PeerFail -> channel.destroy(err)
 * ```
 * What the remote says is checked by the core; what cannot be a message destroys the stream.
 *
 * Invariant: nothing of the remote's becomes an exception in the stream's code.
 * Source: hypercore-protocol@8.0.7 index.js; hypercore@9.12.0 lib/replicate.js for the order of
 * events.
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const { KIND, deliver, toNative, extension } = require('../stream/messages')
const native = require('../core/native')
const { more } = require('../core/queue')

// Opens the feed's channel for `peer` and attaches it; gives the channel. With `wait(go)` the
// remote is heard when `go` is called.
function attach (feed, stream, peer, spec, wait) {
  const { handle } = feed[INNER]
  const { id } = peer[INNER]
  const hear = gate(wait)
  const channel = stream.open(feed.key, handlersFor(handle, id, hear, () => channel.destroy(errors.remoteMessage())))
  const timeout = stream.timeout ? stream.timeout.ms : 0
  more(native.peerAttach(handle, id, { ...spec, timeout }))
  if (channel.remoteOpened) hear(() => more(native.peerOpened(handle, id)))
  return channel
}

// True if the remote has opened a feed without proof that it knows the key. Our own streams know
// that by themselves.
function isStranger (stream, key) {
  return stream.remoteOpened(key) && !stream.remoteVerified(key)
}

// Runs functions, in order; not before `go` is called.
function gate (wait) {
  let held = null
  wait(() => {
    held = []
    return () => {
      const list = held
      held = null
      for (const fn of list) fn()
    }
  })
  return (fn) => held === null ? fn() : held.push(fn)
}

function handlersFor (handle, id, hear, fail) {
  const receive = (make) => hear(() => {
    try {
      more(native.peerReceive(handle, id, make()))
    } catch (err) {
      fail()
    }
  })
  const handlers = {
    onopen: () => hear(() => more(native.peerOpened(handle, id))),
    onextension: (number, payload) => receive(() => extension(number, payload)),
    onclose: () => hear(() => more(native.peerGone(handle, id)))
  }
  for (const [name, kind] of Object.entries(KIND)) {
    handlers['on' + name] = (message) => receive(() => toNative(kind, message))
  }
  return handlers
}

// The core says something to the remote.
function send (channel, kind, values) {
  deliver(channel, '', kind, values, false)
}

// The peer was removed; what it was on is closed with it.
function end (peer) {
  if (peer.stream.opened) peer.stream.close()
}

module.exports = { attach, isStranger, send, end }
