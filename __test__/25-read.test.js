'use strict'
// Reading from one feed: get, getBatch, has, downloaded, seek, clear, update, cancel; local or
// waiting.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { hypercore, test, scratch, create, open, clone, ask, event, fill, block, link, until, sleep, failed } = require('./helpers')

const KEY = Buffer.alloc(32, 7)

test('get before ready', async (t) => {
  const feed = create(t)
  feed.append('x')
  assert.deepEqual(await ask(feed, 'get', 0), Buffer.from('x'))
})

test('get of a missing block: wait false is an error at once', async (t) => {
  const feed = await open(t)
  await assert.rejects(ask(feed, 'get', 0, { wait: false }), failed('Block not downloaded'))
})

test('get of a block to come waits for the append; onwait runs before get returns', async (t) => {
  const feed = await open(t)
  const waited = []
  const value = ask(feed, 'get', 1, { onwait: (index) => waited.push(index) })
  assert.deepEqual(waited, [1])
  await ask(feed, 'append', ['a', 'b'])
  assert.deepEqual(await value, Buffer.from('b'))
})

test('get with timeout', async (t) => {
  const feed = await open(t)
  await assert.rejects(ask(feed, 'get', 0, { timeout: 30 }), failed('ETIMEDOUT', 'ETIMEDOUT'))
  await ask(feed, 'append', 'x')
  assert.deepEqual(await ask(feed, 'get', 0, { timeout: 1000 }), Buffer.from('x'))
})

test('get returns a symbol that cancel takes, before and after ready', async (t) => {
  for (const wait of [false, true]) {
    const feed = create(t)
    if (wait) await ask(feed, 'ready')
    let id
    const got = new Promise((resolve) => { id = feed.get(0, resolve) })
    assert.equal(typeof id, 'symbol')
    feed.cancel(id)
    assert.equal((await got).message, 'Request cancelled')
    await ask(feed, 'append', 'x')
    assert.deepEqual(await ask(feed, 'get', 0), Buffer.from('x'))
  }
})

test('cancel of a range cancels the gets inside it', async (t) => {
  const feed = await open(t, null, KEY)
  const gets = [1, 2, 3, 4].map((i) => ask(feed, 'get', i).catch((err) => err.message))
  feed.cancel(2, 4)
  assert.deepEqual(await Promise.all(gets.slice(1, 3)), ['Request cancelled', 'Request cancelled'])
  feed.cancel(1)
  assert.equal(await gets[0], 'Request cancelled')
  await ask(feed, 'close')
  assert.equal(await gets[3], 'Feed is closed')
})

test('options objects are left alone', async (t) => {
  const feed = await open(t)
  await ask(feed, 'append', ['a', 'b'])
  const options = Object.freeze({ wait: true, strange: 1 })
  await ask(feed, 'get', 0, options)
  await ask(feed, 'getBatch', 0, 2, options)
  await ask(feed, 'get', 0, undefined)
  assert.deepEqual(Object.keys(options), ['wait', 'strange'])
})

test('getBatch reads a range', async (t) => {
  const feed = await open(t, scratch(t), { valueEncoding: 'utf-8' })
  await ask(feed, 'append', ['a', 'bb', '', 'cccc', 'd'])
  assert.deepEqual(await ask(feed, 'getBatch', 1, 4), ['bb', '', 'cccc'])
  assert.deepEqual(await ask(feed, 'getBatch', 0, 5, { valueEncoding: 'binary' }), ['a', 'bb', '', 'cccc', 'd'].map((s) => Buffer.from(s)))
  await assert.rejects(ask(feed, 'getBatch', 3, 7, { wait: false }), failed('Block not downloaded'))
  await assert.rejects(ask(feed, 'getBatch', 3, 7, { timeout: 30 }), failed('ETIMEDOUT', 'ETIMEDOUT'))
})

test('has and downloaded answer at once, and call back as well', async (t) => {
  const feed = await open(t)
  await fill(feed, 10, 4)
  await ask(feed, 'clear', 3, 5)
  const naive = [0, 1, 2, 5, 6, 7, 8, 9]
  for (let start = 0; start < 11; start++) {
    assert.equal(feed.has(start), naive.includes(start))
    for (let end = Math.max(start, 1); end <= 10; end++) {
      const count = naive.filter((i) => i >= start && i < end).length
      assert.equal(feed.downloaded(start, end), count)
      assert.equal(feed.has(start, end), count === end - start)
    }
  }
  assert.equal(feed.downloaded(), 8)
  assert.equal(await ask(feed, 'has', 4), false)
  assert.equal(await ask(feed, 'has', 4, undefined), false)
  assert.equal(await ask(feed, 'has', 5, 10), true)
  assert.equal(await ask(feed, 'downloaded', 0, 10), 8)
})

test('clear drops blocks, also from the disk where they are last', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir)
  await ask(feed, 'append', ['aaaa', 'bbbb', 'cccc'])
  const cleared = event(feed, 'clear')
  await ask(feed, 'clear', 1, 3)
  assert.deepEqual(await cleared, [1, 3])
  assert.equal(feed.length, 3)
  assert.equal(feed.byteLength, 12)
  await assert.rejects(ask(feed, 'get', 2, { wait: false }), failed('Block not downloaded'))
  assert.deepEqual(await ask(feed, 'get', 0), Buffer.from('aaaa'))
  assert.equal(fs.statSync(path.join(dir, 'data')).size, 4)
  await ask(feed, 'clear', 0)
  await ask(feed, 'clear', 0)
  await ask(feed, 'close')
  const again = await open(t, dir)
  assert.equal(again.length, 3)
  assert.equal(again.downloaded(), 0)
  assert.equal(await ask(again, 'append', 'dd'), 3)
  assert.deepEqual(await ask(again, 'get', 3), Buffer.from('dd'))
})

test('seek finds every byte', async (t) => {
  const feed = await open(t)
  const sizes = [3, 0, 5, 1, 0, 0, 7, 2, 4, 1, 1]
  await ask(feed, 'append', sizes.map((n, i) => block(i, n)))
  let offset = 0
  for (const [index, n] of sizes.entries()) {
    for (let i = 0; i < n; i++) assert.deepEqual(await ask(feed, 'seek', offset + i), [index, i])
    offset += n
  }
  assert.equal(offset, feed.byteLength)
  assert.deepEqual(await ask(feed, 'seek', offset), [sizes.length, 0])
  await assert.rejects(ask(feed, 'seek', offset + 1, { wait: false }), { message: 'Out of bounds', code: 'ECANNOTSEEK' })
  await assert.rejects(ask(feed, 'rootHashes', sizes.length), { message: 'Missing tree roots needed for verify', code: 'ENOROOTS' })
})

test('update waits for the length asked for', async (t) => {
  const feed = await open(t)
  const order = []
  const next = ask(feed, 'update').then(() => order.push(`next ${feed.length}`))
  const third = ask(feed, 'update', 3).then(() => order.push(`third ${feed.length}`))
  await ask(feed, 'append', 'a')
  await next
  await ask(feed, 'append', ['b', 'c'])
  await third
  assert.deepEqual(order, ['next 1', 'third 3'])
  await ask(feed, 'update', { minLength: 2 })
  await assert.rejects(ask(feed, 'update', { ifAvailable: true }), failed('No update available from peers'))
})

test('update and get with ifAvailable on a reader without peers', async (t) => {
  const reader = await open(t, null, KEY)
  await assert.rejects(ask(reader, 'update', { ifAvailable: true }), failed('No update available from peers'))
  await assert.rejects(ask(reader, 'get', 0, { ifAvailable: true }), failed('Block not available from peers'))
})

test('Q21: an end of 0 is no end for download and downloaded, and the block after start for a clear', async (t) => {
  const feed = await open(t)
  await fill(feed, 3, 10)
  const reader = await clone(t, feed, { sparse: true })
  const selection = reader.download({ start: 1, end: 0 }, () => {})
  assert.equal(selection.end, -1)
  link(t, feed, reader)
  await until(() => reader.has(1, 3))
  reader.undownload(selection)
  assert.deepEqual([reader.downloaded(0, 0), reader.downloaded(2, null), reader.downloaded(-1, 0)], [2, 1, 2])
  await ask(reader, 'clear', 1, 0)
  assert.deepEqual([0, 1, 2].map((index) => reader.has(index)), [false, false, true])
})

test('download returns a selection that undownload takes', async (t) => {
  const reader = await open(t, null, KEY, { sparse: true })
  let selection
  const done = new Promise((resolve) => { selection = reader.download({ start: 2, end: 9 }, resolve) })
  assert.equal(selection.start, 2)
  assert.equal(selection.end, 9)
  reader.undownload(selection)
  const error = await done
  assert.equal(error.code, 'ECANCELED')
  assert.equal(error.message, 'Download was cancelled')
  const other = new Promise((resolve) => reader.download({ start: 4, end: 6 }, resolve))
  reader.cancel(4, 6)
  assert.equal((await other).code, 'ECANCELED')
})

test('close fails what waits, emits close, and may be called again', async (t) => {
  const reader = await open(t, null, KEY)
  const waiting = [ask(reader, 'get', 0), ask(reader, 'update'), ask(reader, 'seek', 10), ask(reader, 'download', { start: 0, end: 2 })]
  const failures = Promise.all(waiting.map((one) => one.catch((err) => err.message)))
  const closed = event(reader, 'close')
  await ask(reader, 'close')
  await closed
  assert.deepEqual(await failures, Array(4).fill('Feed is closed'))
  assert.equal(reader.closed, true)
  assert.equal(reader.readable, false)
  assert.equal(reader.writable, false)
  await ask(reader, 'close')
  await assert.rejects(ask(reader, 'get', 0), failed('Feed is closed'))
})

test('active holds back close', async (t) => {
  const feed = await open(t)
  assert.equal(feed.active(), true)
  let closed = false
  const done = ask(feed, 'close').then(() => { closed = true })
  await sleep(20)
  assert.equal(closed, false)
  feed.inactive()
  await done
})

test('a feed is no thenable and takes any property', async (t) => {
  const feed = await open(t)
  const mark = Symbol('mark')
  feed[mark] = feed.mine = 1
  assert.equal(feed.then, undefined)
  assert.equal(feed.id, undefined)
  assert(!feed[Symbol.for('hypercore.promises')])
  assert.equal(feed instanceof hypercore, true)
})

test('with promises: every method of this chapter', async (t) => {
  const feed = create(t, null, { valueEncoding: 'utf-8' })
  await feed.append(['a', 'bc', 'd'])
  assert.equal(await feed.get(1), 'bc')
  assert.deepEqual(await feed.getBatch(0, 3), ['a', 'bc', 'd'])
  assert.deepEqual(await feed.seek(2), [1, 1])
  assert.equal(await feed.has(2), true)
  assert.equal(await feed.downloaded(), 3)
  assert.equal(await feed.head(), 'd')
  await feed.update(2)
  await feed.clear(0)
  await assert.rejects(feed.get(0, { wait: false }), failed('Block not downloaded'))
  const reader = await clone(t, feed)
  await assert.rejects(reader.update({ ifAvailable: true }), failed('No update available from peers'))
  const get = reader.get(0)
  reader.cancel(0)
  await assert.rejects(get, failed('Request cancelled'))
  await reader.close()
  await assert.rejects(reader.get(0), failed('Feed is closed'))
})
