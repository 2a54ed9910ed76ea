/*
 * Events: what the core says about a feed becomes properties and 'events' of the feed.
 *
 * Invariant: properties are up to date before the event that tells of it; the callback of an
 * operation comes after its event.
 * Source: hypercore@9.12.0 index.js and lib/replicate.js for names and order.
 */
'use strict'

const INNER = require('../kit/inner')
const { events: Kind } = require('../core/border')
const flags = require('./flags')
const hooks = require('./hooks')
const errors = require('../kit/errors')
const foreign = require('./foreign')
const { keepLast } = require('./peer')

const on = new Map()

// `event` is [kind, number of the feed, ...].
function dispatch (feed, kind, event) {
  const handler = on.get(kind)
  if (handler) handler(feed, feed[INNER], event)
}

on.set(Kind.Key, (feed, inner, [, , key, discoveryKey]) => {
  feed.key = key
  feed.discoveryKey = discoveryKey
  if (inner.js) inner.js.openRest(key, discoveryKey)
})

on.set(Kind.Opened, (feed, inner, [, , key, discoveryKey, secretKey, length, byteLength, writable, live]) => {
  feed.key = key
  feed.discoveryKey = discoveryKey
  if (secretKey) feed.secretKey = secretKey
  feed.length = length
  feed.byteLength = byteLength
  feed.writable = writable
  feed.live = live
  if (!inner.downloadingSet) feed.downloading = !writable
  flags.update(feed)
  feed.emit('ready')
})

on.set(Kind.Append, (feed, inner, [, , length, byteLength, live]) => grow(feed, length, byteLength, live))

function grow (feed, length, byteLength, live) {
  feed.live = live
  feed.length = length
  feed.byteLength = byteLength
  feed.emit('append')
}

on.set(Kind.Download, (feed, inner, [, , index, data, peer]) => {
  feed.emit('download', index, data, inner.peers.get(peer) || null)
})

on.set(Kind.Upload, (feed, inner, [, , index, data, peer]) => {
  feed.emit('upload', index, data, inner.peers.get(peer) || null)
})

on.set(Kind.Sync, (feed) => {
  feed.emit('sync')
})

on.set(Kind.Truncate, (feed, inner, [, , length, byteLength]) => {
  feed.length = length
  feed.byteLength = byteLength
  if (inner.cache) inner.cache.truncate(length)
})

on.set(Kind.Hook, hooks.answer)

on.set(Kind.Clear, (feed, inner, [, , start, end]) => {
  feed.emit('clear', start, end)
})

on.set(Kind.Guard, (feed, inner, [, , count]) => {
  for (let n = count; n > 0; n--) feed.ifAvailable.wait()
  for (let n = count; n < 0; n++) feed.ifAvailable.continue()
})

on.set(Kind.Io, (feed, inner) => inner.js.carryOut())

// ## Peers

on.set(Kind.PeerOpen, (feed, inner, [, , id]) => {
  const peer = inner.peers.get(id)
  if (!peer) return
  peer[INNER].opened = true
  feed.ifAvailable.continue()
  feed.emit('peer-open', peer)
})

on.set(Kind.PeerRemove, (feed, inner, [, , id, last]) => {
  const peer = inner.peers.get(id)
  if (!peer) return
  keepLast(peer, last)
  inner.peers.delete(id)
  feed.peers.splice(feed.peers.indexOf(peer), 1)
  if (peer[INNER].isForeign) foreign.end(peer)
  else peer.stream.opened = peer.stream.remoteOpened = false
  if (!peer[INNER].opened) feed.ifAvailable.continue()
  feed.emit('peer-remove', peer)
})

// The next three are about peers on foreign streams.
on.set(Kind.PeerMessage, (feed, inner, [, , id, kind, ...values]) => {
  const peer = inner.peers.get(id)
  if (peer) foreign.send(peer.stream, kind, values)
})

on.set(Kind.PeerDone, (feed, inner, [, , id]) => {
  const peer = inner.peers.get(id)
  if (peer) peer.stream.close()
})

on.set(Kind.PeerFail, (feed, inner, [, , id, code, message, number]) => {
  const peer = inner.peers.get(id)
  if (peer) peer.stream.destroy(errors.fromNative(code, message, number))
})

on.set(Kind.PeerExtensions, (feed, inner, [, , id, names]) => {
  const peer = inner.peers.get(id)
  if (peer) peer.remoteExtensions.update(names)
})

on.set(Kind.PeerExtension, (feed, inner, [, , id, extension, message]) => {
  const peer = inner.peers.get(id)
  if (peer) peer.remoteExtensions.onmessage(extension, message, peer)
})

on.set(Kind.PeerAck, (feed, inner, [, , id, start, length]) => {
  const peer = inner.peers.get(id)
  if (!peer) return
  const ack = { start, length, bitfield: null, ack: true }
  feed.emit('peer-ack', peer, ack)
  peer.stream.stream.emit('ack', ack)
})

on.set(Kind.RemoteUpdate, (feed, inner, [, , id]) => {
  const peer = inner.peers.get(id)
  if (peer) feed.emit('remote-update', peer)
})

module.exports = { dispatch, grow }
