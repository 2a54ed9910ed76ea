'use strict'
// Streams: reading and writing a feed as a stream, and how replication streams end.

const assert = require('node:assert/strict')
const { PassThrough, pipeline } = require('node:stream')
const { test, defer, scratch, create, open, clone, ask, event, until, sleep, link, fill, block } = require('./helpers')

const ENCODING = { valueEncoding: 'utf-8' }

test('a read stream gives every block in order', async (t) => {
  const feed = await letters(t, 'abcdef')
  assert.equal(await text(feed.createReadStream()), 'abcdef')
})

test('a read stream from start to end', async (t) => {
  const feed = await letters(t, 'abcdef')
  assert.equal(await text(feed.createReadStream({ start: 2 })), 'cdef')
  assert.equal(await text(feed.createReadStream({ start: 1, end: 4 })), 'bcd')
  assert.equal(await text(feed.createReadStream({ end: 2 })), 'ab')
  assert.equal(await text(feed.createReadStream({ start: 6 })), '')
  assert.equal(await text(feed.createReadStream({ start: 2, end: 2 })), '')
})

test('a read stream of a feed that is not open yet', async (t) => {
  const feed = create(t, null, ENCODING)
  feed.append(['a', 'b'])
  await ask(feed, 'flush')
  assert.equal(await text(feed.createReadStream()), 'ab')
})

test('snapshot: the end is fixed at the start, unless told otherwise', async (t) => {
  for (const [snapshot, expected] of [[true, 'abc'], [false, 'abcd']]) {
    const feed = await letters(t, 'abc')
    let seen = ''
    for await (const letter of feed.createReadStream({ snapshot })) {
      if (letter === 'a') await ask(feed, 'append', 'd')
      seen += letter
    }
    assert.equal(seen, expected)
  }
})

test('a live read stream goes on with new blocks, until it is left', async (t) => {
  const feed = await letters(t, 'ab')
  const stream = feed.createReadStream({ live: true })
  let seen = ''
  for await (const letter of stream) {
    seen += letter
    if (letter === 'b') feed.append(['c', 'd'])
    if (letter === 'd') break
  }
  assert.equal(seen, 'abcd')
  assert.equal(stream.destroyed, true)
})

test('tail: only what comes later', async (t) => {
  const feed = await letters(t, 'ab')
  const stream = feed.createReadStream({ live: true, tail: true })
  const first = event(stream, 'data')
  await sleep(20)
  await ask(feed, 'append', 'c')
  assert.deepEqual(await first, ['c'])
  stream.destroy()
})

test('a read stream downloads what it reads', async (t) => {
  const feed = await letters(t, 'abcdef')
  const reader = await clone(t, feed, { sparse: true, ...ENCODING })
  link(t, feed, reader)
  await ask(reader, 'update')
  assert.equal(await text(reader.createReadStream({ start: 2, end: 5 })), 'cde')
  assert.equal(reader.downloaded(), 3)
})

test('closing the feed is an error of its read streams', async (t) => {
  const feed = await letters(t, 'ab')
  const stream = feed.createReadStream({ live: true })
  const failed = new Promise((resolve) => stream.on('error', resolve))
  stream.resume()
  await sleep(20)
  await ask(feed, 'close')
  assert.equal((await failed).message, 'Feed is closed')
})

test('a write stream appends what is written', async (t) => {
  const feed = await letters(t, '')
  const stream = feed.createWriteStream()
  for (const letter of 'abcd') stream.write(letter)
  stream.end()
  await event(stream, 'finish')
  assert.equal(feed.length, 4)
  assert.equal(await text(feed.createReadStream()), 'abcd')
})

test('maxBlockSize cuts what is written', async (t) => {
  const feed = await open(t)
  const stream = feed.createWriteStream({ maxBlockSize: 4 })
  stream.write(Buffer.from('abcdefghij'))
  stream.write(Buffer.from('k'))
  stream.end()
  await event(stream, 'finish')
  const blocks = await Promise.all(Array.from({ length: feed.length }, (_, i) => ask(feed, 'get', i)))
  assert.deepEqual(blocks.map(String), ['abcd', 'efgh', 'ij', 'k'])
})

test('feeds may be piped into feeds', async (t) => {
  const from = await open(t)
  await fill(from, 100, 50)
  const to = await open(t, scratch(t))
  await new Promise((resolve, reject) => pipeline(from.createReadStream(), to.createWriteStream(), (err) => err ? reject(err) : resolve()))
  assert.equal(to.length, 100)
  assert((await ask(to, 'get', 99)).equals(block(99, 50)))
})

test('replication that is not live ends when everything is there', async (t) => {
  const writer = await open(t)
  await fill(writer, 100, 1000)
  const reader = await clone(t, writer)
  const [one, other] = [writer.replicate(true), reader.replicate(false)]
  const ends = Promise.all([one, other].map((stream) => event(stream, 'end')))
  one.pipe(other).pipe(one)
  await ends
  assert.equal(reader.downloaded(), 100)
  assert.deepEqual(reader.peers, [])
  assert.deepEqual(writer.peers, [])
})

test('replication that is not live ends when there is nothing to do', async (t) => {
  for (const count of [0, 5]) {
    const writer = await open(t)
    if (count) await fill(writer, count, 10)
    const reader = await clone(t, writer)
    for (let round = 0; round < 2; round++) {
      const [one, other] = [writer.replicate(false), reader.replicate(true)]
      const ends = Promise.all([one, other].map((stream) => event(stream, 'end')))
      one.pipe(other).pipe(one)
      await ends
      assert.equal(reader.length, count)
    }
  }
})

test('one live end keeps both open', async (t) => {
  const writer = await open(t)
  await fill(writer, 5, 10)
  const reader = await clone(t, writer)
  const [one, other] = [writer.replicate(true, { live: true }), reader.replicate(false, { live: true })]
  defer(t, () => { one.destroy(); other.destroy() })
  let ended = false
  for (const stream of [one, other]) stream.on('end', () => { ended = true })
  one.pipe(other).pipe(one)
  await event(reader, 'sync')
  await sleep(50)
  assert.equal(ended, false)
  assert.equal(reader.peers.length, 1)
})

test('destroy with an error: that error, then close, and the peer is gone', async (t) => {
  const writer = await open(t)
  await fill(writer, 5, 10)
  const reader = await clone(t, writer)
  const [one] = link(t, writer, reader)
  await event(reader, 'sync')
  const order = []
  one.on('error', (err) => order.push(err.message))
  const closed = event(one, 'close')
  one.destroy(new Error('enough'))
  await closed
  assert.deepEqual(order, ['enough'])
  await until(() => writer.peers.length === 0)
  assert.equal(one.destroyed, true)
})

test('destroying a stream before anything flowed', async (t) => {
  const feed = await open(t)
  const stream = feed.replicate(true, { live: true })
  const closed = event(stream, 'close')
  stream.destroy()
  await closed
  await until(() => feed.peers.length === 0)
  const early = create(t).replicate(true)
  early.on('error', () => {})
  early.destroy()
})

test('a stream whose other end finishes early is over', async (t) => {
  const writer = await open(t)
  await fill(writer, 5, 10)
  const stream = writer.replicate(true, { live: true })
  stream.on('error', () => {})
  const closed = event(stream, 'close')
  stream.resume()
  new PassThrough().end().pipe(stream)
  await closed
  assert.equal(writer.peers.length, 0)
})

test('replicating the same feed twice on one stream is harmless', async (t) => {
  const writer = await open(t)
  await fill(writer, 5, 10)
  const reader = await clone(t, writer)
  const [one, other] = link(t, writer, reader)
  writer.replicate(one, { live: true })
  reader.replicate(other, { live: true })
  await event(reader, 'sync')
  assert.equal(reader.peers.length, 1)
})

async function letters (t, word) {
  const feed = await open(t, null, ENCODING)
  if (word) await ask(feed, 'append', [...word])
  return feed
}

async function text (stream) {
  let all = ''
  for await (const part of stream) all += part
  return all
}
