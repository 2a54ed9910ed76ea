'use strict'
// Wrong arguments: an Error with a code, nothing lost, and the feed goes on.

const assert = require('node:assert/strict')
const { inspect } = require('node:util')
const { hypercore, test, scratch, open, clone, ask, hashDirectory } = require('./helpers')

const NO_INDEX = [-1, 0.5, NaN, Infinity, 2 ** 53, '0', null, {}, 1n]
const KEY = Buffer.alloc(32, 1)

test('an index that is none', async (t) => {
  const feed = await filled(t)
  for (const index of NO_INDEX) {
    await refused(feed, 'get', index)
    await refused(feed, 'seek', index)
    await refused(feed, 'getBatch', index, 2)
    if (index !== null && index !== 0) await refused(feed, 'getBatch', 0, index)
    await refused(feed, 'clear', index)
  }
  await fine(feed)
})

test('has and downloaded of what is no index: nothing is there', async (t) => {
  const feed = await filled(t)
  for (const index of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assert.equal(feed.has(index), false)
  }
  assert.equal(feed.has(5000), false)
  assert.equal(feed.downloaded(2, 5000), 1)
  await fine(feed)
})

test('ranges that are none', async (t) => {
  const feed = await filled(t)
  await refused(feed, 'getBatch', 2, 1)
  await refused(feed, 'clear', 2, 1)
  await refused(feed, 'download', { start: -1, end: 2 })
  await refused(feed, 'download', { blocks: [0, -1] })
  await refused(feed, 'update', { minLength: -5.5 })
  await fine(feed)
})

test('a key of another length', () => {
  for (const key of [Buffer.alloc(31), Buffer.alloc(33), Buffer.alloc(0), 'abc', 'z'.repeat(64), '0'.repeat(63), 7]) {
    const error = thrown(() => hypercore(() => assert.fail('the storage was touched'), key))
    assert.equal(error.code, 'EBADKEY', String(key))
  }
})

test('a secret key of another length', () => {
  for (const secretKey of [Buffer.alloc(63), 'abc', 7]) {
    const error = thrown(() => hypercore(() => assert.fail('the storage was touched'), KEY, { secretKey }))
    assert.equal(error.code, 'EBADKEY')
  }
})

test('a secret key that does not belong to the key', async (t) => {
  const dir = scratch(t)
  const other = await open(t)
  const feed = hypercore(dir, KEY, { secretKey: other.secretKey })
  feed.on('error', () => {})
  await assert.rejects(ask(feed, 'ready'), (err) => typeof err.code === 'string')
  assert.deepEqual(hashDirectory(dir), {})
  await ask(feed, 'close')
})

test('values that are no bytes', async (t) => {
  const feed = await filled(t)
  for (const value of [undefined, null, 7, {}, true, Symbol('x'), () => {}]) {
    await refused(feed, 'append', value)
    await refused(feed, 'append', ['a', value])
  }
  assert.equal(feed.length, 3)
  await fine(feed)
})

test('values that have no JSON', async (t) => {
  const feed = await open(t, null, { valueEncoding: 'json' })
  const ring = {}
  ring.ring = ring
  for (const value of [undefined, ring, 1n, () => {}]) await refused(feed, 'append', value)
  assert.equal(await ask(feed, 'append', { fine: true }), 0)
  assert.deepEqual(await ask(feed, 'get', 0), { fine: true })
})

test('a block that the encoding of the reader cannot decode', async (t) => {
  const feed = await filled(t)
  await assert.rejects(ask(feed, 'get', 0, { valueEncoding: 'json' }), SyntaxError)
  await assert.rejects(ask(feed, 'getBatch', 0, 2, { valueEncoding: 'json' }), SyntaxError)
  await fine(feed)
})

test('a block over 8 MiB', async (t) => {
  const feed = await filled(t)
  for (const value of [Buffer.alloc((8 << 20) + 1), 'x'.repeat((8 << 20) + 1), ['fine', Buffer.alloc(9 << 20)]]) {
    const error = await refused(feed, 'append', value)
    assert.equal(error.message, 'Individual blocks has be less than 8MB')
    assert.equal(error.code, 'EBLOCKTOOBIG')
  }
  await fine(feed)
})

test('append on a read-only feed', async (t) => {
  const feed = await filled(t)
  const reader = await clone(t, feed)
  const error = await refused(reader, 'append', 'x')
  assert.equal(error.message, 'This feed is not writable. Did you create it?')
  assert.equal(error.code, 'ENOTWRITABLE')
})

test('replicate without saying who starts', async (t) => {
  const feed = await filled(t)
  for (const initiator of [undefined, null, 7, 'yes', {}]) {
    assert.equal(typeof thrown(() => feed.replicate(initiator)).code, 'string')
  }
  await fine(feed)
})

test('any call after close', async (t) => {
  const feed = await filled(t)
  await ask(feed, 'close')
  const calls = [['append', 'x'], ['get', 0], ['getBatch', 0, 2], ['head'], ['seek', 1], ['update'], ['update', 1], ['download', { start: 0, end: 9 }], ['clear', 0], ['flush'], ['ready']]
  for (const call of calls) {
    const error = await refused(feed, ...call)
    assert.equal(error.code, 'ECLOSED', `${call}: ${error.message}`)
  }
  feed.cancel(0)
  feed.undownload({ start: 0, end: 1 })
  feed.has(0)
  feed.downloaded()
  feed.setDownloading(false)
  await ask(feed, 'close')
})

test('a callback that is none', async (t) => {
  const feed = await filled(t)
  for (const [method, ...args] of [['get', 0, {}], ['append', 'x'], ['seek', 1, {}]]) {
    await outcome(() => feed[method](...args, 'no function'))
  }
  assert.equal(String(await ask(feed, 'get', 2)), 'c')
})

test('with promises: a wrong argument rejects', async (t) => {
  const feed = await filled(t)
  await assert.rejects(feed.get(-1), { code: 'EBADARGUMENT' })
  await assert.rejects(feed.append(7), { code: 'EBADARGUMENT' })
  await assert.rejects(feed.seek(0.5), { code: 'EBADARGUMENT' })
  await assert.rejects(feed.getBatch(2, 1), { code: 'EBADARGUMENT' })
  await feed.close()
  await assert.rejects(feed.append('x'), { code: 'ECLOSED' })
  await assert.rejects(feed.get(0), { code: 'ECLOSED' })
  await fineAfterAll(t)
})

async function filled (t) {
  const feed = await open(t)
  await ask(feed, 'append', ['a', 'b', 'c'])
  return feed
}

// The feed still reads, appends and counts.
async function fine (feed) {
  const { length } = feed
  assert.equal(String(await ask(feed, 'get', 1)), 'b')
  assert.equal(await ask(feed, 'append', 'more'), length)
  assert.equal(String(await ask(feed, 'get', length)), 'more')
  assert.equal(feed.length, length + 1)
}

async function fineAfterAll (t) {
  await fine(await filled(t))
}

// The Error of a call that must fail, thrown or called back.
async function refused (feed, method, ...args) {
  const error = await outcome(() => ask(feed, method, ...args))
  const what = `${method}(${inspect(args)})`
  assert(error instanceof Error, `${what} did not fail`)
  assert.equal(typeof error.code, 'string', `${what}: ${error.message} has no code`)
  return error
}

async function outcome (fn) {
  try {
    await fn()
    return null
  } catch (err) {
    return err
  }
}

function thrown (fn) {
  try {
    fn()
  } catch (err) {
    return err
  }
  assert.fail('nothing was thrown')
}
