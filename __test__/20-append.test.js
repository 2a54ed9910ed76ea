'use strict'
// Appending: what goes in, in which order, in how many batches; and what a refused append leaves
// behind: nothing.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test, scratch, create, open, clone, ask, event, link, signatures, sleep, failed } = require('./helpers')

const MIB = 1 << 20

test('strings, Buffers and views of bytes are blocks; the callback gets the place of the first', async (t) => {
  const feed = create(t)
  const view = new Uint8Array([120, 121, 122, 123]).subarray(1, 3)
  assert.equal(await ask(feed, 'append', 'a'), 0)
  assert.equal(await ask(feed, 'append', Buffer.from('bc')), 1)
  assert.equal(await ask(feed, 'append', ['d', view, '']), 2)
  assert.equal(await ask(feed, 'append', 'e'), 5)
  assert.equal(feed.length, 6)
  assert.equal(feed.byteLength, 7)
  const blocks = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => ask(feed, 'get', i)))
  assert.deepEqual(blocks.map(String), ['a', 'bc', 'd', 'yz', '', 'e'])
})

test('the empty batch is answered after what came before it, and changes nothing', async (t) => {
  const feed = await open(t)
  const order = []
  feed.append('x', () => order.push('x'))
  assert.equal(await ask(feed, 'append', []), 1)
  order.push('empty')
  feed.append('y', () => order.push('y'))
  await ask(feed, 'flush')
  assert.deepEqual(order, ['x', 'empty', 'y'])
  assert.equal(feed.length, 2)
})

test('appends of one turn are one batch: one event, one signature, callbacks in order', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir)
  let events = 0
  feed.on('append', () => events++)
  const seqs = await Promise.all([ask(feed, 'append', 'a'), ask(feed, 'append', ['b', 'c']), ask(feed, 'append', 'd')])
  assert.deepEqual(seqs, [0, 1, 3])
  assert.equal(events <= 2, true, 'the first may go alone, the rest go together')
  await ask(feed, 'append', ['e', 'f'])
  await ask(feed, 'append', 'g')
  await ask(feed, 'close')
  const signed = signatures(dir)
  assert.equal(signed.length, events)
  assert.deepEqual(signed.slice(-3), [3, 5, 6])
})

test('the event comes before the callback, with the new length; no callback runs before append returned', async (t) => {
  const feed = await open(t)
  const order = []
  feed.once('append', () => order.push(`event ${feed.length} ${feed.byteLength}`))
  const done = new Promise((resolve) => feed.append(['ab', 'c'], (err, seq) => {
    order.push(`callback ${err || null} ${seq} ${feed.length}`)
    resolve()
  }))
  order.push('returned')
  await done
  assert.deepEqual(order, ['returned', 'event 2 3', 'callback null 0 2'])
})

test('the caller may use its array again at once', async (t) => {
  const feed = await open(t)
  const batch = ['a', 'b']
  const done = ask(feed, 'append', batch)
  batch.push('c')
  assert.equal(await done, 0)
  assert.deepEqual(batch, ['a', 'b', 'c'])
})

test('append without callback, before ready: close waits for it', async (t) => {
  const dir = scratch(t)
  const feed = create(t, dir)
  feed.append('early')
  feed.append(['and', 'more'])
  await ask(feed, 'ready')
  await ask(feed, 'flush')
  await ask(feed, 'close')
  assert.equal((await open(t, dir)).length, 3)
})

test('a thousand appends at once keep their order', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir)
  const seqs = await Promise.all(Array.from({ length: 1000 }, (_, i) => ask(feed, 'append', String(i))))
  assert.deepEqual(seqs, Array.from({ length: 1000 }, (_, i) => i))
  assert.equal(feed.length, 1000)
  for (const i of [0, 1, 511, 998, 999]) assert.equal(String(await ask(feed, 'get', i)), String(i))
  await ask(feed, 'close')
  assert.equal(fs.readFileSync(path.join(dir, 'data'), 'latin1'), Array.from({ length: 1000 }, (_, i) => i).join(''))
})

test('one signature for each awaited append', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir)
  for (let i = 0; i < 5; i++) await ask(feed, 'append', `block ${i}`)
  await ask(feed, 'close')
  assert.deepEqual(signatures(dir), [0, 1, 2, 3, 4])
})

test('head is the newest block, and an error on an empty feed', async (t) => {
  const feed = await open(t)
  await assert.rejects(ask(feed, 'head'), failed('feed is empty'))
  await ask(feed, 'append', ['a', 'b'])
  assert.equal(await ask(feed, 'head', { valueEncoding: 'utf-8' }), 'b')
  await ask(feed, 'append', 'c')
  assert.deepEqual(await ask(feed, 'head'), Buffer.from('c'))
})

test('a block of exactly 8 MiB is stored', async (t) => {
  const feed = await open(t, scratch(t))
  const big = Buffer.alloc(8 * MIB, 'x')
  assert.equal(await ask(feed, 'append', big), 0)
  assert((await ask(feed, 'get', 0)).equals(big))
})

test('Q16: a block of exactly 8 MiB is stored, but with its proof is more than a frame may hold', async (t) => {
  const feed = await open(t)
  await ask(feed, 'append', [Buffer.alloc(8 * MIB, 'x'), 'small'])
  const reader = await clone(t, feed, { sparse: true })
  const [, there] = link(t, feed, reader)
  const ended = event(there, 'close')
  reader.get(0, () => {})
  await ended
  assert.equal(reader.has(0), false)
})

test('a block over 8 MiB is refused with its whole batch; nothing is lost', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir)
  await ask(feed, 'append', 'before')
  await assert.rejects(ask(feed, 'append', ['a', Buffer.alloc(8 * MIB + 1)]), failed('Individual blocks has be less than 8MB'))
  assert.equal(feed.length, 1)
  assert.equal(feed.byteLength, 6)
  assert.equal(await ask(feed, 'append', 'after'), 1)
  await ask(feed, 'close')
  const again = await open(t, dir)
  assert.equal(String(await ask(again, 'get', 1)), 'after')
  assert.equal(again.length, 2)
})

test('an encoder that throws fails its append alone', async (t) => {
  const picky = { encode (s) { if (s === 'bad') throw new Error('cannot encode'); return Buffer.from(s) }, decode: String }
  const feed = await open(t, null, { valueEncoding: picky })
  await assert.rejects(feed.append('bad'), /cannot encode/)
  assert.equal(await feed.append('good'), 0)
  assert.equal(await feed.get(0), 'good')
})

test('append on a read-only feed', async (t) => {
  const writer = await open(t)
  await ask(writer, 'append', 'x')
  const reader = await clone(t, writer)
  assert.equal(reader.writable, false)
  await assert.rejects(ask(reader, 'append', 'y'), failed('This feed is not writable. Did you create it?'))
  assert.equal(reader.length, 0)
})

test('close waits for appends under way', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir)
  const order = []
  feed.append('last words', () => order.push('append'))
  await Promise.all([event(feed, 'close'), ask(feed, 'flush').then(() => ask(feed, 'close'))])
  assert.deepEqual(order, ['append'])
  assert.equal((await open(t, dir)).length, 1)
})

test('with promises: append, flush, head, and no unhandled rejection for a forgotten failure', async (t) => {
  const feed = create(t)
  assert.equal(await feed.append(['a', 'b']), 0)
  await feed.flush()
  assert.deepEqual(await feed.head(), Buffer.from('b'))
  const reader = await clone(t, feed)
  reader.append('no one looks')
  await sleep(20)
  await assert.rejects(reader.append('y'), failed('This feed is not writable. Did you create it?'))
})
