/*
 * Thin: private members of hypercore 9 that programs reach for, as far as they are of use.
 *
 * ```text
 * feed.tree.digest(2 * index)      as feed.digest(index)
 * feed._storage.open(opts, cb)     { key, secretKey } once the feed is open
 * feed._storage.data               the storage that the caller's function made for the blocks; null on disk and in native memory
 * feed._storage.dataCache          the option `cache.data`, or what was made of it; null without
 * feed._storage.treeCache          the caller's `cache.tree`; else an empty one, since the core has its own; null with `tree: false`
 * ```
 * A program may put its own things in their places.
 * Source: hypercore@9.12.0 index.js, lib/storage.js; what its own tests use.
 */
'use strict'

const INNER = require('./inner')

function storage (feed) {
  const { js, cache, hasTreeCache } = feed[INNER]
  return {
    data: js ? js.data : null,
    dataCache: (cache && cache.data) || null,
    treeCache: (cache && cache.tree) || (hasTreeCache ? { byteSize: 0, get: () => undefined, set () {} } : null),
    open (opts, cb) {
      feed.open((err) => err ? cb(err) : cb(null, { key: feed.key, secretKey: feed.secretKey }))
    }
  }
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

module.exports = { _storage: lazily('_storage', storage), tree: lazily('tree', tree) }
