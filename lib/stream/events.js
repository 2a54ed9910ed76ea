/*
 * Stream events: what the core says about a stream becomes properties, 'events' and calls of its
 * handlers.
 *
 * Each event is emitted, and the handler of the same meaning is called before, as the options of
 * `replicate` name it.
 * Source: hypercore-protocol@8.0.7 index.js `Channelizer`.
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const { deliver } = require('./messages')
const { hook, each } = require('../kit/async')
const native = require('../core/native')
const { events: Kind } = require('../core/border')
const { more } = require('../core/queue')

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
  stream[INNER].endHandshake()
  stream.state.remotePublicKey = remotePublicKey
  stream.state.handshakeHash = handshakeHash
  call(stream, 'onhandshake')
  stream.emit('handshake')
})

// The remote opened a feed that we had not opened here. If we do so now, it has opened it after us,
// as far as handlers are concerned.
on.set(Kind.DiscoveryKey, (stream, [, , discoveryKey]) => {
  const channel = stream.channel(discoveryKey)
  channel.remoteOpened = true
  if (channel.opened) return
  call(stream, 'ondiscoverykey', discoveryKey)
  stream.emit('discovery-key', discoveryKey)
  if (channel.opened && channel.handlers) handle(channel, 'onopen')
})

on.set(Kind.RemoteOpen, (stream, [, , discoveryKey]) => {
  call(stream, 'onremoteopen', discoveryKey)
  stream.emit('remote-open', discoveryKey)
})

// Both sides have it open.
on.set(Kind.Duplex, (stream, [, , discoveryKey]) => {
  const channel = stream.channel(discoveryKey)
  channel.remoteOpened = true
  stream.emit('duplex-channel', channel)
})

on.set(Kind.ChannelOpen, (stream, [, , number]) => {
  const channel = stream[INNER].numbers.get(number)
  if (!channel) return
  channel.remoteOpened = true
  if (!channel[INNER].isLate) handle(channel, 'onopen')
})

on.set(Kind.ChannelMessage, (stream, [, , number, kind, ...values]) => {
  const channel = stream[INNER].numbers.get(number)
  if (channel) deliver(channel.handlers, 'on', kind, values, true)
})

// `number` is 0 for a channel that was not open here. An adopted one is closed when its peer is
// removed.
on.set(Kind.ChannelClosed, (stream, [, , discoveryKey, number]) => {
  const { channels } = stream[INNER]
  const channel = channels.get(discoveryKey.toString('hex'))
  if (channel && !isAnother(channel, number)) shut(stream, channel)
  call(stream, 'onchannelclose', discoveryKey, channel ? channel.key : null)
  endIfIdle(stream)
})

// Whether the channel was opened after the one that is closed.
function isAnother (channel, number) {
  const inner = channel[INNER]
  if (!channel.opened) return false
  return inner.isAdopted || (number !== undefined && number !== inner.number)
}

// The channel is closed: nobody will find it any more.
function shut (stream, channel) {
  const { channels, numbers } = stream[INNER]
  const hex = channel.discoveryKey.toString('hex')
  if (channels.get(hex) === channel) channels.delete(hex)
  numbers.delete(channel[INNER].number)
  const wasOpen = channel.opened
  channel.opened = channel.remoteOpened = false
  if (wasOpen) handle(channel, 'onclose')
}

// The stream is destroyed, and all of it with it.
function shutAll (stream) {
  each([...stream[INNER].channels.values()], (channel) => {
    shut(stream, channel)
    call(stream, 'onchannelclose', channel.discoveryKey, channel.key)
  })
}

function handle (channel, name) {
  const { handlers } = channel
  if (handlers && typeof handlers[name] === 'function') handlers[name]()
}

on.set(Kind.StreamExtensions, (stream, [, , names]) => {
  stream.remoteExtensions.update(names)
  call(stream, 'onextensions', names)
  stream.emit('extensions', names)
})

on.set(Kind.StreamExtension, (stream, [, , id, message]) => {
  stream.remoteExtensions.onmessage(id, message)
})

on.set(Kind.StreamFail, (stream, [, , code, message, foreign]) => {
  stream.destroy(errors.fromNative(code, message, foreign))
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

module.exports = { dispatch, shut, shutAll }
