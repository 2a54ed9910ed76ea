/*
 * Stream events: what the core says about a stream becomes properties, 'events' and calls of its handlers.
 *
 * Each event is emitted, and the handler of the same meaning is called before, as the options of `replicate` name it.
 * Source: hypercore-protocol@8.0.7 index.js `Channelizer`.
 */
'use strict'

const INNER = require('./inner')
const errors = require('./errors')
const { hook } = require('./async')
const { Kind, native, more } = require('./engine')

const on = new Map()

// `event` is [kind, number of the stream, ...].
function dispatch (stream, kind, event) {
  const handler = on.get(kind)
  if (handler) handler(stream, event)
}

on.set(Kind.Authenticate, (stream, [, , remotePublicKey]) => {
  hook((cb) => stream.handlers.onauthenticate(remotePublicKey, cb), (err) => {
    if (!stream.destroyed) more(native.streamAuthenticated(stream[INNER].handle, !err))
  })
})

on.set(Kind.Handshake, (stream, [, , remotePublicKey, handshakeHash]) => {
  stream.state.remotePublicKey = remotePublicKey
  stream.state.handshakeHash = handshakeHash
  call(stream, 'onhandshake')
  stream.emit('handshake')
})

// The remote opened a feed that we have not opened here.
on.set(Kind.DiscoveryKey, (stream, [, , discoveryKey]) => {
  stream.channel(discoveryKey)
  call(stream, 'ondiscoverykey', discoveryKey)
  stream.emit('discovery-key', discoveryKey)
})

on.set(Kind.RemoteOpen, (stream, [, , discoveryKey]) => {
  call(stream, 'onremoteopen', discoveryKey)
  stream.emit('remote-open', discoveryKey)
})

// Both sides have it open.
on.set(Kind.Duplex, (stream, [, , discoveryKey]) => {
  stream.emit('duplex-channel', stream.channel(discoveryKey))
})

on.set(Kind.ChannelClosed, (stream, [, , discoveryKey]) => {
  const { channels } = stream[INNER]
  const hex = discoveryKey.toString('hex')
  const channel = channels.get(hex)
  channels.delete(hex)
  call(stream, 'onchannelclose', discoveryKey, channel ? channel.key : null)
  endIfIdle(stream)
})

on.set(Kind.StreamExtensions, (stream, [, , names]) => {
  stream.remoteExtensions.update(names)
  call(stream, 'onextensions', names)
  stream.emit('extensions', names)
})

on.set(Kind.StreamExtension, (stream, [, , id, message]) => {
  stream.remoteExtensions.onmessage(id, message)
})

on.set(Kind.StreamFail, (stream, [, , code, message]) => {
  stream.destroy(errors.create(code, message))
})

// A stream that is not live ends with its last channel, unless the application holds `prefinalize`.
function endIfIdle (stream) {
  if (stream.destroyed) return
  stream.emit('prefinalize')
  stream.prefinalize.ready(() => {
    if (!stream.destroyed && !stream.live && stream.channelCount === 0) stream.finalize()
  })
}

function call (stream, name, ...args) {
  if (typeof stream.handlers[name] === 'function') stream.handlers[name](...args)
}

module.exports = dispatch
