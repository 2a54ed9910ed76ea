/*
 * Extensions: named messages of the application's own, beside the log's.
 *
 * ```text
 * names of both sides, sorted:   local  a c d      remote  b c d e
 * a message carries its sender's position: remote 1 is 'c', which is local 1
 * ```
 * A `Local` is the list of one feed or stream; a `Remote` what the other side of one peer or stream
 * said it knows.
 *
 * Invariant: `id` of an extension is its position in the sorted list, -1 once it is destroyed.
 * Source: abstract-extension@3.1.1. There a removal leaves the ids of those behind it wrong; mended
 * here.
 */
'use strict'

const errors = require('./errors')
const { codec, bytes } = require('./codec')

class Extension {
  // `handlers` may be a function that takes the new extension and gives the handlers.
  constructor (local, name, handlers) {
    this.id = 0
    this.name = name
    this.local = local
    this.handlers = (typeof handlers === 'function' ? handlers(this) : handlers) || {}
    this.encoding = codec(this.handlers.encoding)
  }

  encode (message) {
    return bytes(this.encoding.encode(message))
  }

  remoteSupports () {
    return this.local !== null
  }

  // A message came. `context` is the peer, or null on a stream.
  onmessage (buffer, context) {
    const { handlers } = this
    if (!handlers.onmessage) return
    let message
    try {
      message = this.encoding.decode(buffer)
    } catch (err) {
      if (handlers.onerror) handlers.onerror(err, context)
      return
    }
    handlers.onmessage(message, context)
  }

  get destroyed () {
    return this.local === null
  }

  destroy () {
    if (this.local === null) return
    this.local.remove(this)
    this.local = null
  }
}

class Local {
  // `Kind` is the class of the extensions, `owner` their feed or stream, whose `onextensionupdate`
  // is called when the names changed.
  constructor (Kind, owner) {
    this.Kind = Kind
    this.owner = owner
    this.messages = []
    this.changes = 1
    this.exclusive = true
  }

  get length () {
    return this.messages.length
  }

  [Symbol.iterator] () {
    return this.messages[Symbol.iterator]()
  }

  get (name) {
    return this.messages.find((message) => message.name === name) || null
  }

  // Throws when the name is taken, unless `exclusive` was set to false.
  add (name, handlers) {
    if (typeof name !== 'string') throw errors.badName()
    if (this.exclusive && this.get(name)) throw errors.sameExtension()
    const message = new this.Kind(this, name, handlers)
    this.messages.push(message)
    this.messages.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
    this.#changed()
    return message
  }

  remove (message) {
    this.messages = this.messages.filter((other) => other !== message)
    message.id = -1
    this.#changed()
  }

  names () {
    return this.messages.map((message) => message.name)
  }

  remote () {
    return new Remote(this)
  }

  #changed () {
    this.changes++
    this.messages.forEach((message, i) => { message.id = i })
    this.owner.onextensionupdate()
  }
}

class Remote {
  #map = null
  #changes = 0

  constructor (local) {
    this.local = local
    this.names = null
  }

  update (names) {
    this.names = names
    this.#changes = 0
  }

  onmessage (id, buffer, context = null) {
    if (this.#changes !== this.local.changes) {
      this.#map = match(this.local.messages, this.names || [])
      this.#changes = this.local.changes
    }
    const message = this.#map[id]
    if (message) message.onmessage(buffer, context)
  }
}

// The local extension for each remote id. Both lists are sorted.
function match (local, names) {
  const map = new Array(names.length)
  let i = 0
  let j = 0
  while (i < local.length && j < names.length) {
    if (local[i].name < names[j]) i++
    else if (local[i].name > names[j]) j++
    else map[j++] = local[i]
  }
  return map
}

// An extension of a feed; it speaks to the feed's peers.
class FeedExtension extends Extension {
  // Sends to every peer; true when there is one.
  broadcast (message) {
    const { owner } = this.local
    owner.extension(this.id, this.encode(message))
    return owner.peers.length > 0
  }

  send (message, peer) {
    peer.extension(this.id, this.encode(message))
  }
}

// An extension of a stream; it speaks to the remote of the stream.
class StreamExtension extends Extension {
  send (message) {
    this.local.owner.sendExtension(this.id, this.encode(message))
  }
}

module.exports = { FeedExtension, StreamExtension, Local }
