'use strict'
// The same bytes on disk: what ours writes, stock hypercore 9 opens, and the reverse.

const assert = require('node:assert/strict')
const path = require('node:path')
const stock = require('hypercore-9')
const { hypercore: ours, test, defer, scratch, ask, event, link, until, hashDirectory, block, signatures, sleep } = require('../helpers')

const BOTH = [['ours', ours], ['stock', stock]]
const ORDERS = [['ours then stock', ours, stock], ['stock then ours', stock, ours]]

// 2,000 blocks in batches of changing size, empty blocks and empty batches among them.
const HISTORY = batches(2000)

test('the same key pair and the same history give the same six files', { timeout: 120000 }, async (t) => {
  const pair = await keyPair()
  const hashes = []
  for (const [name, hypercore] of BOTH) {
    const dir = path.join(scratch(t), name)
    const feed = await use(t, hypercore, dir, pair.key, { secretKey: pair.secretKey })
    for (const batch of HISTORY) await ask(feed, 'append', batch)
    await ask(feed, 'close')
    hashes.push(hashDirectory(dir))
  }
  assert.deepEqual(hashes[0], hashes[1])
  assert.equal(Object.keys(hashes[0]).length, 6)
})

test('the same bytes after clears and a reopening, too', async (t) => {
  const pair = await keyPair()
  const hashes = []
  for (const [, hypercore] of BOTH) {
    const dir = scratch(t)
    const first = await use(t, hypercore, dir, pair.key, { secretKey: pair.secretKey })
    await ask(first, 'append', Array.from({ length: 300 }, (_, i) => block(i, i % 40)))
    await ask(first, 'clear', 0, 7)
    await ask(first, 'clear', 100, 180)
    await ask(first, 'close')
    const again = await use(t, hypercore, dir)
    await ask(again, 'append', ['x', 'y', 'z'])
    await ask(again, 'clear', 301)
    await ask(again, 'close')
    hashes.push(hashDirectory(dir))
  }
  assert.deepEqual(hashes[0], hashes[1])
})

test('small histories: the same bytes at every length up to 40', async (t) => {
  const pair = await keyPair()
  const dirs = [scratch(t), scratch(t)]
  const feeds = await Promise.all(BOTH.map(([, hypercore], i) => use(t, hypercore, dirs[i], pair.key, { secretKey: pair.secretKey })))
  for (let i = 0; i < 40; i++) {
    for (const feed of feeds) await ask(feed, 'append', block(i, i * 3))
    const [mine, theirs] = dirs.map(hashDirectory)
    assert.deepEqual(mine, theirs, `length ${i + 1}`)
  }
})

for (const [name, first, second] of ORDERS) {
  test(`${name}: a directory opens, reads back, takes appends, and goes back again`, async (t) => {
    const dir = scratch(t)
    const one = await use(t, first, dir)
    for (const batch of HISTORY.slice(0, 20)) await ask(one, 'append', batch)
    const { length, byteLength, key, secretKey } = one
    await ask(one, 'close')

    const other = await use(t, second, dir)
    assert.deepEqual([other.length, other.byteLength, other.writable], [length, byteLength, true])
    assert.deepEqual([other.key, other.secretKey], [key, secretKey])
    await readsBack(other, length)
    assert.equal(await ask(other, 'append', ['two', 'more']), length)
    await ask(other, 'close')

    const back = await use(t, first, dir, key)
    assert.equal(back.length, length + 2)
    await readsBack(back, length)
    assert.equal(String(await ask(back, 'get', length + 1)), 'more')
    assert.equal(await ask(back, 'append', 'last'), length + 2)
    await ask(back, 'close')
    await valid(t, dir, length + 3)
  })

  test(`${name}: turn by turn`, async (t) => {
    const dir = scratch(t)
    for (let turn = 0; turn < 12; turn++) {
      const feed = await use(t, turn % 2 ? second : first, dir)
      assert.equal(await ask(feed, 'append', [block(2 * turn, 9), block(2 * turn + 1, 9)]), 2 * turn)
      await ask(feed, 'close')
    }
    assert.deepEqual(signatures(dir), Array.from({ length: 12 }, (_, i) => 2 * i + 1))
    await valid(t, dir, 24)
  })

  test(`${name}: a sparse clone, half filled and partly cleared`, async (t) => {
    const writer = await use(t, second, scratch(t))
    await ask(writer, 'append', Array.from({ length: 100 }, (_, i) => block(i, i)))
    const dir = scratch(t)
    const reader = await use(t, first, dir, writer.key, { sparse: true })
    const [stream] = link(t, writer, reader)
    await ask(reader, 'download', { start: 10, end: 40 })
    await ask(reader, 'get', 77)
    await ask(reader, 'clear', 20, 25)
    const held = Array.from({ length: 100 }, (_, i) => reader.has(i))
    assert.equal(held.filter(Boolean).length, 26)
    stream.destroy()
    await ask(reader, 'flush').catch(() => {})
    await sleep(50)
    await ask(reader, 'close')

    const other = await use(t, second, dir, { sparse: true })
    assert.deepEqual([other.length, other.byteLength, other.writable], [100, writer.byteLength, false])
    assert.deepEqual(Array.from({ length: 100 }, (_, i) => other.has(i)), held)
    for (const i of [10, 39, 77]) assert((await ask(other, 'get', i, { wait: false })).equals(block(i, i)))
    link(t, writer, other)
    assert((await ask(other, 'get', 50)).equals(block(50, 50)))
  })

  test(`${name}: a whole clone serves the other`, async (t) => {
    const writer = await use(t, first, scratch(t))
    await ask(writer, 'append', Array.from({ length: 300 }, (_, i) => block(i, i)))
    const dir = scratch(t)
    const reader = await use(t, first, dir, writer.key)
    link(t, writer, reader)
    await until(() => reader.downloaded() === 300)
    await sleep(50)
    await ask(reader, 'close')
    const seeder = await use(t, second, dir)
    assert.equal(seeder.downloaded(), 300)
    const last = await use(t, second, scratch(t), seeder.key)
    link(t, seeder, last)
    await until(() => last.downloaded() === 300)
    await ask(last, 'get', 299)
  })

  test(`${name}: a directory in use is locked`, async (t) => {
    const dir = scratch(t)
    const holder = await use(t, first, dir)
    await ask(holder, 'append', 'x')
    const refused = second(dir)
    const [error] = await event(refused, 'error')
    assert.equal(error.code, 'ELOCKED')
    await ask(holder, 'close')
    await use(t, second, dir)
  })

  test(`${name}: a core without its secret key`, async (t) => {
    const dir = scratch(t)
    const one = await use(t, first, dir, { storeSecretKey: false })
    await ask(one, 'append', 'x')
    await ask(one, 'close')
    const other = await use(t, second, dir)
    assert.equal(other.writable, false)
    assert.equal(String(await ask(other, 'get', 0)), 'x')
  })
}

async function use (t, hypercore, ...args) {
  const feed = hypercore(...args)
  feed.on('error', () => {})
  defer(t, () => ask(feed, 'close').catch(() => {}))
  await ask(feed, 'ready')
  return feed
}

async function keyPair () {
  const feed = stock(require('random-access-memory'))
  await ask(feed, 'ready')
  return { key: feed.key, secretKey: feed.secretKey }
}

async function readsBack (feed, length) {
  for (let i = 0; i < length; i++) {
    const data = await ask(feed, 'get', i, { wait: false })
    if (!data.equals(block(i))) assert.fail(`block ${i} has other bytes`)
  }
}

// Stock's own audit of every block.
async function valid (t, dir, count) {
  const feed = await use(t, stock, dir)
  assert.deepEqual(await ask(feed, 'audit'), { valid: count, invalid: 0 })
  await ask(feed, 'close')
}

function batches (count) {
  const all = []
  for (let i = 0, turn = 0; i < count; turn++) {
    const length = Math.min(turn % 9 === 4 ? 0 : (turn * turn) % 23 + 1, count - i)
    all.push(Array.from({ length }, (_, j) => block(i + j)))
    i += length
  }
  return all
}
