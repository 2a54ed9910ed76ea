'use strict'
// Logs that are long, or that lack much, and cost little to make.

const fs = require('node:fs')
const crypto = require('hypercore-crypto')

const HEADER = 32
const PAGE = 3584 // 1024 bytes of data bits, 2048 of tree bits, 512 of index

module.exports = { hugeLog, loseInnerNodes }

// A log of 2^depth blocks that nobody has to write: all its blocks are 'x', so each depth of its
// tree has one hash, and one signed proof makes a clone of that length. { key, block, proof }: what
// `put(0, block, proof)` of a clone takes.
function hugeLog (depth) {
  const block = Buffer.from('x')
  const { publicKey, secretKey } = crypto.keyPair(Buffer.alloc(32, 8))
  const nodes = []
  let node = { index: 0, hash: crypto.data(block), size: block.length }
  for (let level = 0; level < depth; level++) {
    const sibling = { ...node, index: 3 * 2 ** level - 1 }
    nodes.push(sibling)
    node = { index: 2 ** (level + 1) - 1, hash: crypto.parent(node, sibling), size: 2 * node.size }
  }
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(2n ** BigInt(depth))
  const signature = crypto.sign(Buffer.concat([crypto.tree([node]), length]), secretKey)
  return { key: publicKey, block, proof: { nodes, signature } }
}

// Changes a bitfield file so that of the nodes only leaves and the root are left. `count` blocks, a
// power of two.
function loseInnerNodes (file, count) {
  const bytes = fs.readFileSync(file)
  for (let page = HEADER; page < bytes.length; page += PAGE) {
    for (let i = page + 1024; i < page + 3072; i++) bytes[i] &= 0xaa
  }
  const root = count - 1
  bytes[HEADER + PAGE * Math.floor(root / 16384) + 1024 + ((root % 16384) >> 3)] |= 0x80 >> (root & 7)
  fs.writeFileSync(file, bytes)
}
