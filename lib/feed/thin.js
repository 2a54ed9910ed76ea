/*
 * Thin: private members of hypercore 9 that programs reach for, as far as they are of use.
 *
 * ```text
 * feed.tree.digest(2 * index)      as feed.digest(index)
 * feed._readyAndGet(i, opts, cb)   as feed.get(i, opts, cb) once the feed is open
 * feed._storage.open(opts, cb)     { key, secretKey } once the feed is open
 * feed._storage.dataOffset(i, nodes, cb)     where block i is in `data`: cb(err, offset, size), in bytes; `nodes` are not needed
 * feed._storage.data               the storage that the caller's function made for the blocks; null on disk and in native memory
 * feed._storage.dataCache          the option `cache.data`, or what was made of it; null without
 * feed._storage.treeCache          the caller's `cache.tree`; else an empty one, since the core has its own; null with `tree: false`
 * ```
 * A program may put its own things in their places.
 * Source: hypercore@9.12.0 index.js, lib/storage.js; what its own tests use, and
 * hypercore-encrypted@0.1.1.
 */
'use strict'

const INNER = require('../kit/inner')

function storage (feed) {
  const { js, cache, hasTreeCache } = feed[INNER]
  return {
    data: js ? js.data : null,
    dataCache: (cache && cache.data) || null,
    treeCache: (cache && cache.tree) || (hasTreeCache ? { byteSize: 0, get: () => undefined, set () {} } : null),
    open (opts, cb) {
      feed.open((err) => err ? cb(err) : cb(null, { key: feed.key, secretKey: feed.secretKey }))
    },
    dataOffset (index, nodes, cb) {
      feed.getBlockInfo(index, (err, leaf) => {
        if (err) cb(err)
        else if (index === 0) cb(null, 0, leaf.size)
        else feed.rootHashes(index - 1, (err, roots) => err ? cb(err) : cb(null, sizeOf(roots), leaf.size))
      })
    }
  }
}

function sizeOf (nodes) {
  return nodes.reduce((sum, { size }) => sum + size, 0)
}

function tree (feed) {
  return { digest: (index) => feed.digest(Math.floor(index / 2)) }
}

function lazily (name, make) {
  return {
    configurable: true,
    get () { return make(this) },
    set (value) { Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true }) }
  }
}

const _readyAndGet = {
  writable: true,
  configurable: true,
  value (index, opts, cb) {
    this.open((err) => err ? cb(err) : this.get(index, opts, cb))
  }
}

module.exports = { _storage: lazily('_storage', storage), tree: lazily('tree', tree), _readyAndGet }
