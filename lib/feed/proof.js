/*
 * Proof: what ties blocks to the key of a feed: leaves, roots, signatures, proofs.
 *
 * A node is `{ index, hash, size }`: its place in the flat tree, 32 bytes, the bytes of the blocks
 * below it. A proof is `{ nodes, signature }`.
 *
 * Invariant: what is put is checked by the core; a proof given by the caller is left alone.
 * Source: hypercore@9.12.0 index.js.
 */
'use strict'

const INNER = require('../kit/inner')
const check = require('../kit/check')
const errors = require('../kit/errors')
const { bytes } = require('../kit/codec')
const { promised } = require('../kit/async')
const native = require('../core/native')
const { limits } = require('../core/border')
const { soon } = require('../core/queue')
const { asked } = require('./wait')

const methods = {
  // The node over block `index` alone.
  getBlockInfo (index, cb) {
    if (typeof cb !== 'function') return promised(false, (done) => this.getBlockInfo(index, done))
    const { cache } = this[INNER]
    const known = cache && check.isIndex(index) ? cache.node(2 * index) : null
    if (known) return soon(cb, null, known)
    asked(this, 'getBlockInfo', { index }, () => check.index(index), (handle, op) => native.feedLeaf(handle, op, index), (err, leaf) => {
      if (err) return cb(err)
      const node = nodeOf(leaf)
      if (cache) cache.keepNode(node)
      cb(null, node)
    })
  },

  // The nodes that cover the blocks up to and with `index`, from left to right.
  rootHashes (index, cb) {
    if (typeof cb !== 'function') return promised(false, (done) => this.rootHashes(index, done))
    asked(this, 'rootHashes', { index }, () => check.index(index), (handle, op) => native.feedRoots(handle, op, index + 1), (err, roots) => {
      if (err) cb(err)
      else cb(null, roots.map(nodeOf))
    })
  },

  // The first signature that covers block `index`, or the last one: { index, signature }, where
  // `index` is the last block that it covers.
  signature (index, cb) {
    if (typeof index === 'function') [index, cb] = [undefined, index]
    if (typeof cb !== 'function') return promised(false, (done) => this.signature(index, done))
    const isLast = index === undefined || index === null
    asked(this, 'signature', isLast ? {} : { index }, () => isLast || check.index(index), (handle, op) => {
      return native.feedSignature(handle, op, isLast ? Math.max(this.length - 1, 0) : index)
    }, (err, last, signature) => {
      if (err) cb(err)
      else cb(null, { index: last, signature })
    })
  },

  // Whether the writer has signed the blocks up to and with `index` so: true, or an error.
  verify (index, signature, cb) {
    if (typeof cb !== 'function') return promised(false, (done) => this.verify(index, signature, done))
    asked(this, 'verify', { index }, () => {
      check.index(index)
      check.signature(signature)
    }, (handle, op) => native.feedVerify(handle, op, index, signature), (err, verdict) => {
      if (err) cb(err)
      else if (!verdict) cb(errors.badSignature())
      else cb(null, true)
    })
  },

  // What somebody needs to check block `index`. Options: digest (what that one has already), hash
  // (prove the leaf, without the block).
  proof (index, opts, cb) {
    if (typeof opts === 'function') [opts, cb] = [undefined, opts]
    if (typeof cb !== 'function') return promised(false, (done) => this.proof(index, opts, done))
    const { digest = 0, hash } = opts || {}
    asked(this, 'proof', { index }, () => {
      check.index(index)
      check.index(digest)
    }, (handle, op) => native.feedProof(handle, op, index, digest, !!hash), (err, nodes, signature) => {
      if (err) cb(err)
      else cb(null, { nodes: nodes.map(nodeOf), signature })
    })
  },

  // Keeps a block that somebody has proven, or with `data` null only its proof.
  put (index, data, proof, cb) {
    if (typeof cb !== 'function') return promised(true, (done) => this.put(index, data, proof, done))
    let block, nodes, signature
    asked(this, 'put', { index }, () => {
      check.index(index)
      block = data === null || data === undefined ? null : check.block(bytes(this[INNER].codec.encode(data)), limits.BLOCK)
      nodes = proofNodes(proof)
      signature = proof.signature ? bytes(check.signature(proof.signature)) : null
    }, (handle, op) => native.feedPut(handle, op, index, block, nodes, signature), (err) => cb(err))
  },

  // Which nodes around block `index` are here, as a number for `proof`.
  digest (index) {
    check.index(index)
    return this.opened ? native.feedDigest(this[INNER].handle, index) : 0
  }
}

function nodeOf ([index, hash, size]) {
  return { index, hash, size }
}

function proofNodes (proof) {
  if (!proof || !Array.isArray(proof.nodes)) throw errors.badProof()
  return proof.nodes.map((node) => {
    const { index, hash, size } = node || {}
    if (!check.isIndex(index) || !check.isIndex(size) || !(hash instanceof Uint8Array) || hash.byteLength !== 32) throw errors.badProof()
    return { index, hash: bytes(hash), size }
  })
}

module.exports = { methods, nodeOf }
