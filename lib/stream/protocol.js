/*
 * Protocol: one connection to one remote, as a Node Duplex stream.
 *
 * ```text
 * bytes from the remote -> _write -> native.streamWrite        (held until 'Drained' when the core has enough)
 * bytes to the remote   <- _read  <- native.streamRead         (64 KiB at most; 'Readable' says when there are more)
 * ```
 * Pipe it to a socket and back, or to another Protocol. A stream that is not live ends by itself
 * when its last channel closed. Whatever the remote does wrong destroys this stream with an error;
 * nobody has to listen for it, since every stream carries a listener that does nothing. Programs of
 * their own speak on channels (`open`); feeds of ours are adopted.
 *
 * Invariant: a feed is on a stream at most once, whoever opened it.
 * Source: hypercore-protocol@8.0.7 index.js; pipes end each other as those of streamx@2.12.4 do.
 */
'use strict'

const { inspect } = require('util')
const { Duplex } = require('stream')
const INNER = require('../kit/inner')
const Channel = require('./channel')
const Guard = require('../kit/guard')
const Timer = require('../kit/timer')
const { dispatch, shut, shutAll } = require('./events')
const check = require('../kit/check')
const errors = require('../kit/errors')
const { summary } = require('../kit/inspect')
const { noop } = require('../kit/async')
const { StreamExtension, Local } = require('../kit/extension')
const { pump, feed, drained, resume, closedAtEnd } = require('./flow')
const native = require('../core/native')
const { events: Kind, limits: { SLICE, TIMEOUT } } = require('../core/border')
const { engine, more } = require('../core/queue')
const { EVENT, register } = require('../core/targets')

// Channels that may be kept beyond those that there are, before somebody looks.
const SPARE = 64

class Protocol extends Duplex {
  // `handlers` are the options: live, encrypted, noise, keyPair, timeout, and functions on...:
  // authenticate, handshake, discoverykey, remoteopen, extensions, channelclose.
  constructor (initiator, handlers = {}) {
    if (typeof initiator !== 'boolean') throw errors.initiator()
    const given = check.noiseKeyPair(handlers.keyPair)
    const timeout = check.milliseconds(handlers.timeout, TIMEOUT)
    super({ readableHighWaterMark: SLICE, writableHighWaterMark: SLICE })
    const noise = !(handlers.noise === false && handlers.encrypted === false)
    const keyPair = noise ? given || Protocol.keyPair() : { publicKey: null, secretKey: null }

    this.initiator = initiator
    this.handlers = handlers
    this.live = !!handlers.live
    this.state = { publicKey: keyPair.publicKey, remotePublicKey: null, handshakeHash: null }
    this.timeout = null
    this.keepAlive = null
    this.prefinalize = new Guard()
    this.bytesSent = 0
    this.bytesReceived = 0
    this.extensions = new Local(StreamExtension, this)
    this.remoteExtensions = this.extensions.remote()

    const id = register(this)
    Object.defineProperty(this, INNER, { value: inner(id, { initiator, noise, handlers, keyPair, timeout }) })
    this.on('error', noop)
    if (timeout) {
      this.setTimeout(timeout, () => this.destroy(errors.timeout()))
      this.setKeepAlive(Math.ceil(timeout / 2))
      if (noise) this[INNER].deadline = new Timer(timeout, () => { if (this.timeout !== null) this.destroy(errors.timeout()) })
    }
  }

  // True for streams of this package and of npm hypercore-protocol.
  static isProtocolStream (stream) {
    return !!(stream && typeof stream.initiator === 'boolean' && typeof stream.pipe === 'function' && stream.state)
  }

  // A key pair for Noise; the same one for the same seed of 32 bytes.
  static keyPair (seed) {
    const [publicKey, secretKey] = native.noiseKeyPair(check.seed(seed))
    return { publicKey, secretKey }
  }

  get publicKey () {
    return this.state.publicKey
  }

  // Null until the handshake is done.
  get remotePublicKey () {
    return this.state.remotePublicKey
  }

  get handshakeHash () {
    return this.state.handshakeHash
  }

  // The address of the socket that this is piped to; null in process.
  get remoteAddress () {
    const { pipeTo } = this[INNER]
    if (!pipeTo || Protocol.isProtocolStream(pipeTo)) return null
    return pipeTo.remoteAddress
  }

  get remoteType () {
    const { pipeTo } = this[INNER]
    if (!pipeTo) return null
    if (pipeTo._utp) return 'utp'
    return pipeTo.remoteAddress ? 'tcp' : 'unknown'
  }

  // ## Channels

  get channels () {
    return this[INNER].channels.values()
  }

  get channelCount () {
    return native.streamChannelCount(this[INNER].handle)
  }

  // Opens the feed with this key. `handlers` are functions on...: open, options, status, have,
  // unhave, want, unwant, request, cancel, data, extension, close. Gives the channel to speak on;
  // the same one when it is open already.
  open (key, handlers) {
    key = check.given(key)
    const channel = this.channel(native.discoveryKey(key))
    if (!channel.opened && !this.destroyed) {
      channel.key = key
      channel.opened = true
      channel[INNER].isLate = channel.remoteOpened
      channel[INNER].number = this.numberOf(channel)
    }
    if (handlers) channel.handlers = handlers
    return channel
  }

  // Called by `channel`: the core's number for it, which opens it there.
  numberOf (channel) {
    const inner = this[INNER]
    const number = native.streamOpenChannel(inner.handle, channel.key)
    inner.numbers.set(number, channel)
    more(true)
    return number
  }

  // Whether we, or the remote, have opened the feed with this key here.
  opened (key) {
    return native.streamIsOpen(this[INNER].handle, native.discoveryKey(check.given(key)))
  }

  remoteOpened (key) {
    return native.streamRemoteOpened(this[INNER].handle, native.discoveryKey(check.given(key)))
  }

  // Whether the remote has proven that it knows the key.
  remoteVerified (key) {
    return native.streamRemoteVerified(this[INNER].handle, check.given(key))
  }

  // Closes a feed's channel, or tells the remote that we shall not open it.
  close (discoveryKey) {
    discoveryKey = check.given(discoveryKey)
    const channel = this[INNER].channels.get(discoveryKey.toString('hex'))
    if (this.destroyed) return
    if (channel && channel.opened && !channel[INNER].isAdopted) shut(this, channel)
    more(native.streamCloseChannel(this[INNER].handle, discoveryKey))
  }

  // Called by `replicate`: the peer's channel. The peer, and so its feed, live as long as it.
  // `isNative`: the feed's storage is.
  adopt (peer, isNative) {
    const { key, discoveryKey } = peer.feed
    const channel = this.channel(discoveryKey)
    channel.key = key
    channel.opened = true
    channel[INNER].isAdopted = true
    channel[INNER].peer = peer
    if (!isNative) this[INNER].isPatient = true
    return channel
  }

  // Called by `replicate`: whether a feed may be put on it. If the remote has opened it without
  // proof that it knows the key, it is closed instead.
  admits (key) {
    const admits = native.streamAdmits(this[INNER].handle, key)
    if (!admits) more(true)
    return admits
  }

  // The channel of this name, made if there is none.
  channel (discoveryKey) {
    const { channels } = this[INNER]
    const hex = discoveryKey.toString('hex')
    if (!channels.has(hex)) {
      if (channels.size > 2 * this.channelCount + SPARE) forgetLost(this)
      channels.set(hex, new Channel(this, discoveryKey, null))
    }
    return channels.get(hex)
  }

  // ## Extensions

  registerExtension (name, handlers) {
    return this.extensions.add(name, handlers)
  }

  // The remote is told of new names with the next message.
  onextensionupdate () {}

  sendExtension (id, message) {
    const inner = this[INNER]
    if (id < 0 || this.destroyed) return
    if (inner.changes !== this.extensions.changes) {
      inner.changes = this.extensions.changes
      more(native.streamExtensions(inner.handle, this.extensions.names()))
    }
    more(native.streamExtension(inner.handle, id, message))
  }

  // ## Time

  ping () {
    if (!this.destroyed) more(native.streamPing(this[INNER].handle))
  }

  // Sends something every `ms` milliseconds in which nothing else was sent.
  setKeepAlive (ms) {
    if (this.keepAlive !== null) this.keepAlive.destroy()
    this.keepAlive = ms
      ? new Timer(ms, () => {
        this.ping()
        this.keepAlive.refresh()
      })
      : null
  }

  // Emits 'timeout' when nothing came for `ms` milliseconds.
  setTimeout (ms, ontimeout) {
    if (this.timeout !== null) this.timeout.destroy()
    this.timeout = ms ? new Timer(ms, () => this.emit('timeout')) : null
    if (!this.destroyed) native.streamTimeout(this[INNER].handle, ms || 0) // for requests
    if (ms && ontimeout) this.once('timeout', ontimeout)
  }

  // ## Bytes

  // Either end of a pipe that breaks takes the other with it.
  pipe (destination, opts) {
    this[INNER].pipeTo = destination
    super.pipe(destination, opts)
    destination.on('error', (err) => this.destroy(err))
    destination.on('close', () => closedAtEnd(this))
    this.on('close', () => { if (!this.readableEnded) destination.destroy(this.errored || errors.readableClosed()) })
    return destination
  }

  _read () {
    this[INNER].reading = true
    pump(this)
  }

  _write (chunk, encoding, cb) {
    this.bytesReceived += chunk.length
    if (this.timeout !== null) this.timeout.refresh()
    feed(this, chunk, 0, cb)
  }

  _final (cb) {
    this.finalize()
    cb(null)
  }

  // Ends our side, behind what there is to send.
  finalize () {
    this[INNER].ending = true
    pump(this)
  }

  // Nothing is lost when both sides have ended, so it is no error then (`stream.pipeline` destroys
  // what it loops through).
  destroy (err, cb) {
    return super.destroy(this.readableEnded && this.writableFinished ? null : err, cb)
  }

  _destroy (err, cb) {
    const inner = this[INNER]
    if (this.timeout !== null) this.timeout.destroy()
    if (this.keepAlive !== null) this.keepAlive.destroy()
    this.timeout = this.keepAlive = null
    inner.endHandshake()
    drained(this)
    resume(this)
    this.prefinalize.destroy()
    more(native.streamClose(inner.handle))
    try {
      shutAll(this)
    } finally {
      cb(err)
    }
  }

  [EVENT] (kind, event) {
    if (kind === Kind.Readable) pump(this)
    else if (kind === Kind.Drained) drained(this)
    else dispatch(this, kind, event)
  }

  [inspect.custom] (depth, opts) {
    const { publicKey, remotePublicKey, remoteAddress, remoteType, live, initiator, channelCount, destroyed, bytesSent, bytesReceived } = this
    const prefinalized = !this.prefinalize.waiting
    return summary('HypercoreProtocolStream', {
      publicKey, remotePublicKey, remoteAddress, remoteType, live, initiator, channelCount, destroyed, prefinalized, bytesSent, bytesReceived
    }, opts)
  }
}

// The remote may use a channel's number for another feed: then nobody opens the one before any
// more, and nothing tells of it.
function forgetLost (stream) {
  const { channels, handle } = stream[INNER]
  for (const [hex, channel] of channels) {
    if (!channel.opened && !native.streamRemoteOpened(handle, channel.discoveryKey)) channels.delete(hex)
  }
}

function inner (id, { initiator, noise, handlers, keyPair, timeout }) {
  return {
    handle: native.streamNew(engine, id, {
      initiator,
      noise,
      encrypted: handlers.encrypted !== false,
      authenticate: typeof handlers.onauthenticate === 'function',
      publicKey: keyPair.publicKey || undefined,
      secretKey: keyPair.secretKey || undefined,
      timeout
    }),
    channels: new Map(), // discovery key in hex -> Channel
    numbers: new Map(), // the core's number -> Channel, for those that programs speak on
    deadline: null, // of the handshake
    endHandshake () {
      if (this.deadline !== null) this.deadline.destroy()
      this.deadline = null
    },
    changes: 1, // of our extensions, when the remote was last told
    pipeTo: null,
    isPatient: false, // carries a feed on a storage in JavaScript
    reading: false, // the readable side has room
    pumping: false,
    ending: false, // end our side when there is nothing more to send
    held: null, // what to do when the core has drained
    halts: 0, // how many want nothing to be taken in
    halted: null // what to do when they are done
  }
}

module.exports = Protocol
