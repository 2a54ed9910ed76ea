'use strict'
// What two feeds, or two directories, must have in common. Used by the disk chapters.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const stock = require('hypercore-9')
const { hypercore: ours, defer, scratch, ask } = require('../helpers')

const IMPLS = { ours, stock }
// From a seed, so that both sign alike.
const PAIR = ours.keyPair(Buffer.alloc(32, 'a pair for both'))

module.exports = { IMPLS, PAIR, use, view, parts, sameDirectories, copy, pairs }

async function use (t, impl, ...args) {
  const feed = IMPLS[impl](...args)
  feed.on('error', () => {})
  defer(t, () => ask(feed, 'close').catch(() => {}))
  await ask(feed, 'ready')
  return feed
}

// Every writer with every reader.
function pairs () {
  const names = Object.keys(IMPLS)
  return names.flatMap((one) => names.map((other) => [one, other]))
}

// All that a feed tells of itself. `audit` comes last: it may forget blocks.
async function view (feed) {
  const { length, byteLength, writable, key } = feed
  const held = Array.from({ length: length + 20 }, (_, i) => feed.has(i))
  const seen = {
    length,
    byteLength,
    writable,
    key: key.toString('hex'),
    held: runs(held),
    downloaded: [feed.downloaded(), feed.downloaded(0, (length >> 1) + 1)],
    blocks: await hashOfBlocks(feed, held),
    signatures: await signaturesOf(feed)
  }
  return { ...seen, audit: { ...await ask(feed, 'audit') }, heldThen: runs(held.map((_, i) => feed.has(i))) }
}

// [first, number] of each run of true.
function runs (bits) {
  const found = []
  bits.forEach((bit, i) => {
    if (bit && bits[i - 1]) found.at(-1)[1]++
    else if (bit) found.push([i, 1])
  })
  return found
}

async function hashOfBlocks (feed, held) {
  const hash = crypto.createHash('sha256')
  for (let i = 0; i < held.length; i++) {
    if (!held[i]) continue
    const data = await ask(feed, 'get', i, { wait: false })
    hash.update(`${i} ${data.length} `).update(data)
  }
  return hash.digest('hex')
}

// The signature that covers a block, for up to 300 blocks.
async function signaturesOf (feed) {
  const found = []
  for (let i = 0; i < feed.length; i += Math.ceil(feed.length / 300)) {
    const one = await ask(feed, 'signature', i).catch(() => null)
    found.push(one && `${one.index} ${one.signature.toString('hex', 0, 8)}`)
  }
  return found
}

// The three parts of a bitfield file, page after page.
function parts (dir) {
  const file = fs.readFileSync(path.join(dir, 'bitfield'))
  const size = file.readUInt16BE(5)
  const names = ['data', 'tree', 'index']
  const edges = [0, 1024, 3072, size]
  const pages = Array.from({ length: Math.ceil((file.length - 32) / size) }, (_, i) => file.subarray(32 + i * size, 32 + (i + 1) * size))
  return Object.fromEntries(names.map((name, i) => [name, pages.map((page) => strip(page.subarray(edges[i], edges[i + 1])))]))
}

function strip (bytes) {
  return bytes.toString('hex').replace(/(00)+$/, '')
}

// Both hold the same six files, byte for byte; of the bitfield it says which part differs.
function sameDirectories (one, other, note = '') {
  assert.deepEqual(fs.readdirSync(one).sort(), fs.readdirSync(other).sort(), note)
  if (fs.existsSync(path.join(one, 'bitfield'))) assert.deepEqual(parts(one), parts(other), note)
  for (const name of fs.readdirSync(one)) {
    const [a, b] = [one, other].map((dir) => fs.readFileSync(path.join(dir, name)))
    if (a.equals(b)) continue
    const at = a.findIndex((byte, i) => byte !== b[i])
    assert.fail(`${note} ${name}: ${a.length} and ${b.length} bytes, the first difference at ${at}`)
  }
}

// A copy of a directory, for somebody who may change it.
function copy (t, dir) {
  const to = path.join(scratch(t), 'copy')
  fs.cpSync(dir, to, { recursive: true })
  return to
}
