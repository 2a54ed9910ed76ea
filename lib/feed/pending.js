/*
 * Pending: what a feed's callers wait for, for how long, and why.
 *
 * ```text
 * [{ method: 'get', index: 7, waiting: 1250, reason: 'no peer has block 7' }, ...]     waiting in milliseconds, oldest first
 * ```
 * For people who ask why nothing happens; programs should use timeouts.
 */
'use strict'

const INNER = require('../kit/inner')
const { short } = require('../kit/inspect')
const native = require('../core/native')

function pending (feed) {
  const now = performance.now()
  const list = []
  for (const call of feed[INNER].calls.values()) {
    if (call.isOver) continue
    list.push({ method: call.kind, ...call.what, waiting: Math.round(now - call.since), reason: reasonOf(feed, call) })
  }
  return list
}

function reasonOf (feed, call) {
  if (!feed.opened) return 'the feed is opening'
  if (call.isLocal) return 'the storage is read'
  if (feed.peers.length === 0) return 'no peers'
  const peers = feed.peers.filter((peer) => peer.remoteOpened)
  if (peers.length === 0) return 'no peer has opened the feed yet'
  if (!peers.some((peer) => peer.downloading && peer.remoteUploading)) return 'downloading is off'
  return call.kind === 'get' ? reasonOfGet(feed, peers, call.what.index) : reasonOfOther(feed, peers, call)
}

function reasonOfGet (feed, peers, index) {
  const { handle, peers: byNumber } = feed[INNER]
  const asked = byNumber.get(native.feedAsked(handle, index))
  if (asked) return `asked of peer ${nameOf(asked)}`
  const owner = peers.find((peer) => native.peerHas(handle, peer[INNER].id, index))
  return owner ? `peer ${nameOf(owner)} has block ${index}, and is busy` : `no peer has block ${index}`
}

function reasonOfOther (feed, peers, { kind, what }) {
  if (kind === 'update' && feed.remoteLength < what.length) return `no peer has ${what.length} blocks`
  const asked = peers.find((peer) => peer.inflightRequests.length > 0)
  return asked ? `asked of peer ${nameOf(asked)}` : 'no peer has what is missing'
}

function nameOf (peer) {
  return peer.remotePublicKey ? short(peer.remotePublicKey) : 'without a key'
}

module.exports = pending
