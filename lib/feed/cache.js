/*
 * Cache: blocks, and nodes of the tree, that a feed keeps at hand for its application.
 *
 * ```text
 * cache: { data, tree }     data: bytes to keep, or the caller's { get, set }; none by default
 *                           tree: the caller's { get, set }; a number or false is the core's business, which has its own
 * ```
 * A block is asked for by its index, a node by its place in the flat tree.
 *
 * Invariant: only blocks that the feed has are given; what was truncated is forgotten.
 * Source: hypercore@9.12.0 lib/cache.js, lib/storage.js.
 */
'use strict'

const errors = require('../kit/errors')
const Marks = require('../kit/marks')
const native = require('../core/native')
const { more } = require('../core/queue')
const { must, nextOp } = require('../core/operations')

// Keeps what was used last, up to `max` bytes.
class Recent {
  #max
  #blocks = new Map()

  constructor (max) {
    this.#max = max
    this.byteSize = 0
  }

  get (index) {
    const block = this.#blocks.get(index)
    if (block === undefined) return null
    this.#blocks.delete(index)
    this.#blocks.set(index, block)
    return block
  }

  set (index, block) {
    this.#forget(index)
    if (block === null) return
    this.#blocks.set(index, block)
    this.byteSize += block.length
    for (const oldest of this.#blocks.keys()) {
      if (this.byteSize <= this.#max) break
      this.#forget(oldest)
    }
  }

  #forget (index) {
    const block = this.#blocks.get(index)
    if (block === undefined) return
    this.#blocks.delete(index)
    this.byteSize -= block.length
  }
}

class Cache {
  #blocks = new Marks() // what was kept: a cache of the caller's cannot be looked through
  #nodes = new Marks()

  constructor (data, tree) {
    this.data = data
    this.tree = tree
  }

  // Null when it is not there.
  block (index) {
    return (this.data && this.data.get(index)) || null
  }

  node (index) {
    return (this.tree && this.tree.get(index)) || null
  }

  keepNode (node) {
    if (!this.tree) return
    this.#nodes.add(node.index)
    this.tree.set(node.index, node)
  }

  // A block was read. Its nodes are read too, for a caller who wants them; then `done` is called.
  keep (handle, index, block, done) {
    if (this.data) {
      this.#blocks.add(index)
      this.data.set(index, block)
    }
    if (this.tree) this.#keepNodes(handle, index, done)
    else done()
  }

  // The log is `length` blocks long now.
  truncate (length) {
    for (const index of this.#blocks.take(length)) this.data.set(index, null)
    for (const index of this.#nodes.take(2 * length)) this.tree.set(index, null)
  }

  // Those that tell where the block is: the roots of all before it, and its leaf.
  #keepNodes (handle, index, done) {
    const [roots, leaf] = [nextOp(), nextOp()]
    const keep = ([index, hash, size]) => { if (!this.tree.get(index)) this.keepNode({ index, hash, size }) }
    must(roots, (err, list) => { if (!err) list.forEach(keep) })
    must(leaf, (err, node) => {
      if (!err) keep(node)
      done()
    })
    more(native.feedRoots(handle, roots, index))
    more(native.feedLeaf(handle, leaf, index))
  }
}

// The cache that a feed's option asks for; null when there is nothing to keep.
function cacheOf (opts) {
  const { data, tree } = opts.cache || {}
  const cache = new Cache(part(data, (max) => new Recent(max)), part(tree, () => null))
  return cache.data || cache.tree ? cache : null
}

function part (value, make) {
  if (value === undefined || value === null || value === false || value === 0) return null
  if (typeof value === 'number' && value > 0) return make(value)
  if (typeof value.get === 'function' && typeof value.set === 'function') return value
  throw errors.badCache()
}

module.exports = cacheOf
