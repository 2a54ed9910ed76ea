'use strict'
// Arguments and options that are not quite what they should be: taken where hypercore 9 takes them,
// else an Error with a code, and nothing is left behind.

const assert = require('node:assert/strict')
const ram = require('random-access-memory')
const { hypercore, test, create, open, clone, ask, event, until, link, fill, sleep } = require('./helpers')

test('switches take whatever is true or false; a peer is made or it is not', async (t) => {
  const feed = await open(t)
  await fill(feed, 3, 9)
  feed.setDownloading(1)
  feed.setUploading(undefined)
  feed.setUploading('yes')
  assert.deepEqual([feed.downloading, feed.uploading], [true, true])
  const reader = await clone(t, feed, { maxRequests: '8' })
  link(t, feed, reader)
  await until(() => reader.downloaded() === 3)
  feed.setDownloading(0)
  assert.equal(feed.peers[0].downloading, false)
  assert.equal(reader.peers[0].maxRequests, 8)

  assert.throws(() => feed.replicate(true, { maxRequests: -1 }), { code: 'EBADARGUMENT' })
  assert.deepEqual([feed.peers.length, feed.ifAvailable.waiting], [1, false])
})

test('options of the constructor', () => {
  const bad = [{ timeout: 'x' }, { timeout: -1 }, { maxRequests: -1 }, { maxRequests: 'x' }, { timeouts: 5 }, { noiseKeyPair: 5 }, { noiseKeyPair: {} }, { noiseKeyPair: { publicKey: Buffer.alloc(32) } }]
  for (const opts of bad) assert.throws(() => hypercore(() => ram(), opts), (err) => /^EBAD/.test(err.code), JSON.stringify(opts))
})

test('keys and seeds of the statics', () => {
  for (const key of [undefined, null, 5, 'aa', Buffer.alloc(31)]) assert.throws(() => hypercore.discoveryKey(key), { code: 'EBADKEY' })
  for (const seed of ['x', 5, Buffer.alloc(3)]) {
    assert.throws(() => hypercore.keyPair(seed), { code: 'EBADKEY' })
    assert.throws(() => hypercore.Protocol.keyPair(seed), { code: 'EBADKEY' })
  }
  assert.deepEqual(hypercore.keyPair(new Uint8Array(32)), hypercore.keyPair(Buffer.alloc(32)))
})

test('a key pair for a stream is whole or refused', () => {
  const { publicKey, secretKey } = hypercore.Protocol.keyPair()
  for (const keyPair of [5, {}, { publicKey }, { secretKey }, { publicKey, secretKey: Buffer.alloc(3) }]) {
    assert.throws(() => new hypercore.Protocol(true, { keyPair }), { code: 'EBADKEY' })
  }
  const stream = new hypercore.Protocol(true, { keyPair: { publicKey: new Uint8Array(publicKey), secretKey } })
  assert.deepEqual(stream.publicKey, publicKey)
  stream.destroy()
  for (const timeout of ['0', -1, NaN, {}]) assert.throws(() => new hypercore.Protocol(true, { timeout }), { code: 'EBADARGUMENT' })
})

test('an extension that was refused leaves nothing behind', async (t) => {
  const feed = await open(t)
  for (const name of [5, null, undefined, {}]) assert.throws(() => feed.registerExtension(name), { code: 'EBADARGUMENT' })
  assert.equal(feed.registerExtension('chat').id, 0)
  assert.deepEqual(feed.extensions.names(), ['chat'])
})

test('signal, timeout and onwait of every call, while it opens and when it is open', async (t) => {
  const open = await clone(t, await filled(t), { sparse: true })
  for (const make of [() => open, () => create(t, null, hypercore.keyPair().publicKey)]) {
    for (const opts of [{ signal: 5 }, { signal: {} }, { timeout: 1n }, { timeout: Symbol('x') }, { timeout: 'x' }, { timeout: -1 }]) {
      for (const [method, ...args] of [['get', 7], ['getBatch', 7, 9], ['update'], ['seek', 1000], ['head'], ['download']]) {
        const feed = make()
        const call = method === 'download' ? feed.download({ start: 5, end: 9, ...opts }) : feed[method](...args, opts)
        await assert.rejects(call, { code: 'EBADARGUMENT' }, `${method} ${Object.keys(opts)}`)
        assert.deepEqual(feed.pending(), [])
      }
    }
    await assert.rejects(make().get(7, { onwait: 5 }), { code: 'EBADARGUMENT' })
  }
})

test('ranges of downloads, lengths, read streams', async (t) => {
  const feed = await clone(t, await filled(t), { sparse: true })
  for (const range of [true, '0', 1n, Symbol('x'), { blocks: 5 }, { start: -1 }, { start: 4, end: 2 }, { blocks: [-1] }]) {
    await assert.rejects(feed.download(range), { code: 'EBADARGUMENT' })
  }
  for (const length of ['x', -2, 1.5]) assert.throws(() => feed.setExpectedLength(length), { code: 'EBADARGUMENT' })
  for (const opts of [{ start: Symbol('x') }, { start: -1 }, { end: 1.5 }, { timeout: 1n }, { signal: 5 }]) {
    const [err] = await event(feed.createReadStream(opts), 'error')
    assert.equal(err.code, 'EBADARGUMENT')
  }
  feed.cancel(0, '1')
  feed.cancel('x')
  await assert.rejects(feed.truncate(99), { code: 'EBADARGUMENT', message: 'Could not satisfy length' })
})

test('cancel ends updates in the range, and a head by its promise', async (t) => {
  const feed = await clone(t, await filled(t), { sparse: true })
  const [inside, outside] = [feed.update(8), feed.update(20)]
  feed.cancel(7, 9)
  await assert.rejects(inside, { code: 'ECANCELED' })
  assert.equal(feed.pending().length, 1)
  feed.cancel(outside)
  for (const opts of [{ update: true }, { update: true, timeout: 0 }]) {
    const head = feed.head(opts)
    feed.cancel(head)
    await assert.rejects(head, { code: 'ECANCELED' })
  }
  const early = create(t, null, hypercore.keyPair().publicKey)
  const head = early.head()
  early.cancel(head)
  await assert.rejects(head, { code: 'ECANCELED' })
})

test('a timeout counts from the call, whatever does not answer', async (t) => {
  const silent = hypercore(() => ({ read () {}, write () {} }))
  silent.on('error', () => {})
  await assert.rejects(silent.get(0, { timeout: 20 }), { code: 'ETIMEDOUT' })
  let isStuck = false
  const feed = await open(t, () => {
    const store = ram()
    const read = store.read
    store.read = function (offset, size, cb) { if (!isStuck) read.call(this, offset, size, cb) }
    return store
  })
  await ask(feed, 'append', 'x')
  isStuck = true
  await assert.rejects(feed.get(0, { timeout: 20 }), { code: 'ETIMEDOUT' })
})

test('clear with delete: false keeps the bytes', async (t) => {
  const stores = {}
  const feed = await open(t, (name) => { stores[name] = ram(); return stores[name] })
  await ask(feed, 'append', ['aaa', 'bbb'])
  await ask(feed, 'clear', 0, 2, { delete: false })
  assert.deepEqual([feed.downloaded(), String(await ask(stores.data, 'read', 0, 6))], [0, 'aaabbb'])
})

test('a removed peer tells what was known of it last', async (t) => {
  const feed = await filled(t)
  const reader = await clone(t, feed)
  const [stream] = link(t, feed, reader)
  await until(() => reader.downloaded() === 3)
  assert.equal(reader.peers[0].remoteBitfield.get(1), false)
  const removed = event(reader, 'peer-remove')
  stream.destroy()
  const [peer] = await removed
  assert.deepEqual([peer.remoteLength, peer.remoteOpened, peer.stats.downloadedBlocks], [3, true, 3])
  await sleep(1)
  assert.equal(peer.remoteLength, 3)
})

test('a clone of a static feed is one', async (t) => {
  const feed = await open(t, null, { live: false })
  await ask(feed, 'append', ['a', 'b'])
  await ask(feed, 'finalize')
  const reader = await clone(t, feed)
  assert.equal(reader.live, true)
  link(t, feed, reader)
  await until(() => reader.downloaded() === 2)
  assert.equal(reader.live, false)
})

async function filled (t) {
  const feed = await open(t)
  await fill(feed, 3, 9)
  return feed
}
