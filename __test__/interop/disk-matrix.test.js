'use strict'
// Writer x reader over { ours, hypercore 9 }, for cores of every kind: both read the same out of a
// directory, and leave the same bytes.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test, scratch, ask, link, block } = require('../helpers')
const { IMPLS, PAIR, use, view, sameDirectories, copy, pairs } = require('./same')

const OLD_HEADER = Buffer.alloc(32)
OLD_HEADER.set([5, 2, 87, 0, 0, 3328 >> 8, 3328 & 255])

const filled = (count) => async (t, impl, dir) => {
  const feed = await use(t, impl, dir, PAIR.publicKey, { secretKey: PAIR.secretKey })
  await append(feed, 0, count)
  await ask(feed, 'close')
}

const KINDS = {
  '0 blocks': filled(0),
  '1 block': filled(1),
  '2 blocks': filled(2),
  '3 blocks': filled(3),
  '8 blocks': filled(8),
  '1,000 blocks': filled(1000),
  '40,000 blocks': filled(40000),

  async 'cleared ranges' (t, impl, dir) {
    const feed = await use(t, impl, dir, PAIR.publicKey, { secretKey: PAIR.secretKey })
    await append(feed, 0, 400)
    for (const range of [[0, 1], [8, 64], [70, 71], [100, 333]]) await ask(feed, 'clear', ...range)
    await append(feed, 400, 17)
    await ask(feed, 'clear', 410, 417)
    await ask(feed, 'close')
  },

  async 'a sparse clone' (t, impl, dir) {
    await cloned(t, impl, dir, { sparse: true }, async (feed) => {
      for (const i of [299, 0, 17, 16, 128, 200, 201, 202, 5]) await ask(feed, 'get', i)
    })
  },

  async 'a sparse clone with cleared blocks' (t, impl, dir) {
    await cloned(t, impl, dir, { sparse: true }, async (feed) => {
      for (let i = 40; i < 90; i++) await ask(feed, 'get', i)
      // Stock clears only where it knows the offsets.
      await ask(feed, 'clear', 48, 56)
      await ask(feed, 'clear', 88)
    })
  },

  async 'a clone that knows the length alone' (t, impl, dir) {
    await cloned(t, impl, dir, { sparse: true }, (feed) => ask(feed, 'update'))
  },

  async 'a static feed' (t, impl, dir) {
    const feed = await use(t, impl, dir, { live: false })
    await append(feed, 0, 50)
    await ask(feed, 'finalize')
    await ask(feed, 'close')
  },

  async 'an old page size' (t, impl, dir) {
    fs.mkdirSync(dir)
    fs.writeFileSync(path.join(dir, 'bitfield'), OLD_HEADER)
    await filled(9000)(t, impl, dir)
    assert.equal(fs.readFileSync(path.join(dir, 'bitfield')).readUInt16BE(5), 3328)
  },

  async 'signatures of version 8' (t, impl, dir) {
    const feed = await use(t, impl, dir, PAIR.publicKey, { secretKey: PAIR.secretKey, crypto: eight })
    await append(feed, 0, 30)
    await ask(feed, 'close')
  }
}

// Version 8 signed the hash of the roots, without the length.
const eight = {
  sign: (message, secretKey, cb) => cb(null, require('hypercore-crypto').sign(message.subarray(0, 32), secretKey)),
  verify: (message, signature, key, cb) => cb(null, require('hypercore-crypto').verify(message, signature, key))
}

for (const [kind, make] of Object.entries(KINDS)) {
  for (const [writer, reader] of pairs()) {
    test(`${kind}: ${writer} writes, ${reader} reads`, { timeout: 120000 }, async (t) => {
      const dir = path.join(scratch(t), 'core')
      const twin = path.join(scratch(t), 'core')
      await make(t, writer, dir)
      await make(t, 'stock', twin)
      sameDirectories(dir, twin, 'written')
      const truth = await use(t, 'stock', twin)
      const wanted = await view(truth)
      await ask(truth, 'close')

      const found = copy(t, dir)
      const feed = await use(t, reader, found)
      assert.deepEqual(await view(feed), wanted)
      await ask(feed, 'close')
      sameDirectories(found, twin, 'after reading')
    })
  }
}

// A feed that clones a writer of 300 blocks; the writer is stock's, and answers one thing after the
// other.
async function cloned (t, impl, dir, options, work) {
  const writer = await use(t, 'stock', () => require('random-access-memory')(), PAIR.publicKey, { secretKey: PAIR.secretKey })
  await append(writer, 0, 300)
  const feed = await use(t, impl, dir, writer.key, options)
  const [stream] = link(t, writer, feed)
  await work(feed)
  stream.destroy()
  await ask(feed, 'close')
}

// In batches of up to 500, none of the same size as the one before.
async function append (feed, start, count) {
  for (let i = 0, turn = 1; i < count; turn++) {
    const length = Math.min((turn * 37) % 500, count - i)
    await ask(feed, 'append', Array.from({ length }, (_, j) => block(start + i + j, (start + i + j) % 90)))
    i += length
  }
}

assert.equal(Object.keys(IMPLS).length, 2)
