/*
 * Hypercore: an append-only log, made and read here, replicated with others.
 *
 * ```text
 * const core = hypercore(storage, [key], [opts])     with or without `new`
 * storage   './dir' | hypercore.memory() | (name, opts) => a random-access-storage
 * ```
 * This file is the class: what a feed is made of, how it opens and closes. What it does is in rooms
 * of `lib/`, one for each kind of verb; what it knows is in the native core, which decides
 * everything about the log. README.md describes the interface.
 *
 * Invariant: arguments are checked before anything changes; after the constructor, faults come
 * through callbacks and promises only.
 * Source: hypercore@9.12.0 index.js.
 */
'use strict'

const { inspect } = require('util')
const INNER = require('./lib/kit/inner')
const Resource = require('./lib/kit/resource')
const Guard = require('./lib/kit/guard')
const Protocol = require('./lib/stream/protocol')
const check = require('./lib/kit/check')
const errors = require('./lib/kit/errors')
const { dispatch } = require('./lib/feed/events')
const flags = require('./lib/feed/flags')
const replicate = require('./lib/feed/replicate')
const storages = require('./lib/storage/open')
const { summary } = require('./lib/kit/inspect')
const pending = require('./lib/feed/pending')
const ReadStream = require('./lib/feed/read-stream')
const WriteStream = require('./lib/feed/write-stream')
const read = require('./lib/feed/read')
const { reading } = require('./lib/feed/get')
const want = require('./lib/feed/want')
const proof = require('./lib/feed/proof')
const upkeep = require('./lib/feed/upkeep')
const cacheOf = require('./lib/feed/cache')
const thin = require('./lib/feed/thin')
const write = require('./lib/feed/write')
const { FeedExtension, Local } = require('./lib/kit/extension')
const { feedCodec, bytes } = require('./lib/kit/codec')
const { hooksOf } = require('./lib/feed/hooks')
const { promised, each } = require('./lib/kit/async')
const native = require('./lib/core/native')
const { limits } = require('./lib/core/border')
const { engine, more, soon } = require('./lib/core/queue')
const { nextOp, must } = require('./lib/core/operations')
const { EVENT, register } = require('./lib/core/targets')

function Hypercore (storage, key, opts) {
  if (!(this instanceof Hypercore)) return new Hypercore(storage, key, opts)
  if (isOptions(key, opts)) [key, opts] = [null, key]
  opts = opts || {}
  const publicKey = check.key(key || opts.key)
  const secretKey = check.secretKey(opts.secretKey)
  const noiseKeyPair = check.noiseKeyPair(opts.noiseKeyPair)
  const timeout = check.milliseconds(opts.timeout, 0)
  const hooks = hooksOf(opts)
  const cache = cacheOf(opts)
  if (opts.timeouts && typeof opts.timeouts !== 'object') throw errors.badTimeouts()
  const files = storages.open(storage)

  Resource.call(this)
  this.key = publicKey
  this.discoveryKey = publicKey && native.discoveryKey(publicKey)
  this.secretKey = secretKey
  this.length = 0
  this.byteLength = 0
  this.live = opts.live !== false
  this.sparse = !!opts.sparse
  this.writable = !!opts.writable
  this.readable = true
  this.downloading = opts.downloading !== false
  this.uploading = opts.uploading !== false
  this.allowPush = !!opts.allowPush
  this.maxRequests = check.requests(opts.maxRequests, limits.REQUESTS)
  this.peers = []
  this.ifAvailable = new Guard()
  this.extensions = new Local(FeedExtension, this)
  this.timeouts = opts.timeouts || { get: (cb) => cb(null), update: (cb) => cb(null) }

  const id = register(this)
  Object.defineProperty(this, INNER, { value: inner(this, id, { files, hooks, cache, noiseKeyPair, timeout }, opts) })
  flags.update(this)
  this.open((err) => { if (err) this.emit('error', err) })
  if (this.sparse && opts.eagerUpdate) want.eagerUpdate(this)
}

// What belongs to the feed and is nobody's business.
function inner (feed, id, { files, hooks, cache, noiseKeyPair, timeout }, opts) {
  const handle = native.feedNew(engine, id, files.native, {
    sparse: feed.sparse,
    indexing: !!opts.indexing,
    allowPush: feed.allowPush,
    hooksWrites: hooks.writes,
    hooksSigns: hooks.signs,
    hooksVerifies: hooks.verifies
  })
  if (files.js) files.js.attach(handle)
  return {
    handle,
    js: files.js,
    hooks,
    cache,
    hasTreeCache: opts.cache !== false && (opts.cache || {}).tree !== false,
    codec: feedCodec(opts.valueEncoding),
    batcher: write.batcher(feed, hooks),
    calls: new Map(), // token -> Call, for all that wait, oldest first
    spanning: new Set(), // those of them that are about more than one block
    peers: new Map(), // number -> Peer
    flags: -1,
    expectedLength: -1,
    ifAvailable: !!opts.ifAvailable,
    timeout,
    stats: opts.stats === undefined || !!opts.stats,
    downloadingSet: typeof opts.downloading === 'boolean',
    noiseKeyPair,
    failed: null, // why it could not be opened
    open: {
      key: feed.key || undefined,
      secretKey: feed.secretKey || undefined,
      createIfMissing: opts.createIfMissing !== false,
      overwrite: !!opts.overwrite,
      force: !!opts.force,
      storeSecretKey: opts.storeSecretKey !== false,
      live: feed.live,
      mustBeWritable: feed.writable
    }
  }
}

function isOptions (key, opts) {
  return !opts && typeof key === 'object' && key !== null && !(key instanceof Uint8Array)
}

Object.setPrototypeOf(Hypercore, Resource)
Hypercore.prototype = Object.create(Resource.prototype, {
  constructor: { value: Hypercore, writable: true, configurable: true }
})
Object.assign(Hypercore.prototype, flags.methods, read, want.methods, write.methods, proof.methods, upkeep)
Object.defineProperties(Hypercore.prototype, thin)

Hypercore.discoveryKey = (key) => native.discoveryKey(check.given(key))
Hypercore.keyPair = (seed) => {
  const [publicKey, secretKey] = native.keyPair(check.seed(seed))
  return { publicKey, secretKey }
}
// What the core has done so far, in steps: for tests that count what things cost.
Object.defineProperty(Hypercore, Symbol.for('hypercore.work'), { value: () => native.engineWork(engine) })
Hypercore.memory = () => new storages.Memory()
// What all logs of the process share: sets what is given, and says what is.
Hypercore.engine = ({ maxFiles } = {}) => {
  if (maxFiles !== undefined) native.setMaxFiles(check.files(maxFiles))
  const [most, open] = native.files()
  return { maxFiles: most, openFiles: open }
}
Hypercore.Protocol = Protocol

// ## Opening and closing

Hypercore.prototype.ready = Hypercore.prototype.open

// A feed that could not be opened stays so: another try is another feed.
Hypercore.prototype._open = function (cb) {
  const state = this[INNER]
  if (state.failed) return soon(cb, state.failed)
  const op = nextOp()
  must(op, (err) => {
    if (err) {
      state.failed = err
      end(this)
    }
    cb(err)
  })
  more(native.feedOpen(state.handle, op, state.open))
}

Hypercore.prototype._close = function (cb) {
  const state = this[INNER]
  state.batcher.flush()
  this.writable = this.readable = false
  for (const call of reading(this)) call.giveUp(errors.closed())
  const op = nextOp()
  must(op, (err) => {
    end(this)
    each([
      ...reading(this).map((call) => () => call.finish(errors.closed())),
      () => { if (!err) this.emit('close') },
      () => cb(err)
    ], (step) => step())
  })
  more(native.feedClose(state.handle, op))
}

function end (feed) {
  feed.writable = feed.readable = false
  feed.ifAvailable.destroy()
}

// Closes the feed and removes its files.
Hypercore.prototype.destroyStorage = function (cb) {
  if (typeof cb !== 'function') return promised(false, (done) => this.destroyStorage(done))
  this.close((err) => {
    if (err) return cb(err)
    const op = nextOp()
    must(op, (err) => cb(err))
    more(native.feedDestroy(this[INNER].handle, op))
  })
}

Hypercore.prototype[EVENT] = function (kind, event) {
  dispatch(this, kind, event)
}

// ## Properties

Object.defineProperties(Hypercore.prototype, {
  // The longest length that a peer told.
  remoteLength: { enumerable: true, get () { return native.feedRemoteLength(this[INNER].handle) } },
  stats: { enumerable: true, get () { return stats(this) } },
  noiseKeyPair: {
    enumerable: true,
    get () { return this[INNER].noiseKeyPair || (this[INNER].noiseKeyPair = Protocol.keyPair()) },
    set (keyPair) { this[INNER].noiseKeyPair = check.noiseKeyPair(keyPair) }
  }
})

function stats (feed) {
  if (!feed[INNER].stats) return null
  const [downloadedBlocks, downloadedBytes, uploadedBlocks, uploadedBytes] = native.feedStats(feed[INNER].handle)
  return {
    peers: feed.peers.map((peer) => peer.stats),
    totals: { downloadedBlocks, downloadedBytes, uploadedBlocks, uploadedBytes }
  }
}

// What waits for peers, for how long, and why.
Hypercore.prototype.pending = function () {
  return pending(this)
}

// ## Peers

Hypercore.prototype.replicate = function (initiator, opts) {
  return replicate(this, initiator, opts)
}

Hypercore.prototype.setDownloading = function (downloading) {
  downloading = !!downloading
  if (this.downloading === downloading && this[INNER].downloadingSet) return
  this[INNER].downloadingSet = true
  this.downloading = downloading
  for (const peer of this.peers) peer.setDownloading(downloading)
}

Hypercore.prototype.setUploading = function (uploading) {
  uploading = !!uploading
  if (this.uploading === uploading) return
  this.uploading = uploading
  for (const peer of this.peers) peer.setUploading(uploading)
}

Hypercore.prototype.registerExtension = function (name, handlers) {
  return this.extensions.add(name, handlers)
}

// Called by `extensions` when the names changed.
Hypercore.prototype.onextensionupdate = function () {
  more(native.feedExtensions(this[INNER].handle, this.extensions.names()))
}

// Sends an encoded extension message to all peers.
Hypercore.prototype.extension = function (id, message) {
  message = bytes(message)
  if (id >= 0) more(native.feedBroadcast(this[INNER].handle, id, message))
}

// ## Streams

Hypercore.prototype.createReadStream = function (opts) {
  return new ReadStream(this, opts)
}

Hypercore.prototype.createWriteStream = function (opts) {
  return new WriteStream(this, opts)
}

Hypercore.prototype[inspect.custom] = function (depth, opts) {
  const { key, discoveryKey, opened, sparse, writable, length, byteLength, peers } = this
  return summary('Hypercore', { key, discoveryKey, opened, sparse, writable, length, byteLength, peers: peers.length }, opts)
}

module.exports = Hypercore
