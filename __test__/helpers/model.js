'use strict'
// What a log must be, kept in a few lines: blocks with states, and what follows from them.
//
//   here     readable          gone     known not to be here
//   maybe    here or gone      rotten   other bytes on disk than were signed; gone as soon as somebody has looked

const crypto = require('hypercore-crypto')

class Model {
  constructor (blocks) {
    this.blocks = blocks.map((data) => ({ data: Buffer.from(data), state: 'here' }))
    this.isOpen = true
    this.forgets = false // a rotten block is forgotten by the get that finds it: a reader's, who may have it again from a peer
  }

  clone () {
    const copy = new Model([])
    copy.blocks = this.blocks.map((block) => ({ ...block }))
    copy.isOpen = this.isOpen
    copy.forgets = this.forgets
    return copy
  }

  get length () {
    return this.blocks.length
  }

  get byteLength () {
    return this.offset(this.length)
  }

  offset (index) {
    return this.blocks.slice(0, index).reduce((sum, { data }) => sum + data.length, 0)
  }

  // The first blocks alone.
  first (count) {
    return this.clone().truncate(count)
  }

  count (...states) {
    return this.blocks.filter(({ state }) => states.includes(state)).length
  }

  // ## Changes

  append (...blocks) {
    this.blocks.push(...new Model(blocks).blocks)
    return this
  }

  set (state, start, end = start + 1) {
    for (const block of this.blocks.slice(start, end)) block.state = state
    return this
  }

  truncate (length) {
    this.blocks.length = Math.min(length, this.length)
    return this
  }

  replace (from, to) {
    for (const block of this.blocks) if (block.state === from) block.state = to
    return this
  }

  forgetRotten () {
    return this.replace('rotten', 'gone')
  }

  close () {
    this.isOpen = false
    return this
  }

  // Opened again. That a block was found rotten is not kept on disk: somebody has to look once
  // more.
  reopen (before) {
    this.isOpen = true
    this.blocks.forEach((block, i) => { if ((before.blocks[i] || block).state === 'rotten') block.state = 'rotten' })
    return this
  }

  // ## Answers: each a list of outcomes, { value } or { code }

  get (index) {
    if (!this.isOpen) return [{ code: 'ECLOSED' }]
    const { data, state } = this.blocks[index] || { state: 'gone' }
    const [value, gone, bad] = [{ value: data }, { code: 'ENOTDOWNLOADED' }, { code: 'EBADBLOCK' }]
    return { here: [value], gone: [gone], maybe: [value, gone], rotten: [bad, gone] }[state]
  }

  getBatch (start, end) {
    if (!this.isOpen) return [{ code: 'ECLOSED' }]
    const blocks = Array.from({ length: end - start }, (_, i) => this.get(start + i))
    const codes = blocks.flat().filter(({ code }) => code)
    return codes.length ? codes : [{ value: blocks.map(([{ value }]) => value) }]
  }

  has (index) {
    if (!this.isOpen) return [true, false]
    return { here: [true], gone: [false], maybe: [true, false], rotten: [true, false] }[(this.blocks[index] || { state: 'gone' }).state]
  }

  // The block that holds a byte, and the offset in it.
  seek (byte) {
    if (!this.isOpen) return [{ code: 'ECLOSED' }]
    let index = 0
    while (index < this.length && this.offset(index + 1) <= byte) index++
    const isInside = index < this.length
    return isInside ? [{ value: [index, byte - this.offset(index)] }] : [{ code: 'ENOTAVAILABLE' }, { code: 'ENOTDOWNLOADED' }, { code: 'ECANNOTSEEK' }]
  }

  // The nodes over the first `length` blocks.
  roots (length) {
    const roots = []
    for (let start = 0; start < length;) {
      const size = 2 ** Math.floor(Math.log2(length - start))
      roots.push(this.#node(start, size))
      start += size
    }
    return roots
  }

  leaf (index) {
    return this.#node(index, 1)
  }

  #node (start, size) {
    if (size === 1) {
      const { data } = this.blocks[start]
      return { index: 2 * start, hash: crypto.data(data), size: data.length }
    }
    const [left, right] = [this.#node(start, size / 2), this.#node(start + size / 2, size / 2)]
    return { index: 2 * start + size - 1, hash: crypto.parent(left, right), size: left.size + right.size }
  }

  // Whether somebody who has the key would believe this signature over the first `length` blocks.
  isSigned (key, length, signature) {
    const count = Buffer.alloc(8)
    count.writeBigUInt64BE(BigInt(length))
    return length <= this.length && crypto.verify(Buffer.concat([crypto.tree(this.roots(length)), count]), signature, key)
  }

  // Whether a proof, with the block that it is for, is of this log.
  isProof (key, index, { nodes, signature }) {
    if (index >= this.length) return false
    const isOfThis = (node) => sameNodes([this.#at(node.index)], [node])
    if (!nodes.every(isOfThis)) return false
    return signature === null || this.blocks.some((_, i) => this.isSigned(key, i + 1, signature))
  }

  // Node `index` of the flat tree, null where it is not complete.
  #at (index) {
    const depth = trailingOnes(index)
    const start = (index - (2 ** depth - 1)) / 2
    return start + 2 ** depth <= this.length ? this.#node(start, 2 ** depth) : null
  }
}

function trailingOnes (n) {
  let count = 0
  for (; n % 2 === 1; n = (n - 1) / 2) count++
  return count
}

function sameNodes (a, b) {
  return a.length === b.length && a.every((node, i) => node && b[i] && node.index === b[i].index && node.size === b[i].size && node.hash.equals(b[i].hash))
}

module.exports = { Model, sameNodes }
