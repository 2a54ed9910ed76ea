'use strict'
// What programs written for hypercore 9 lean on among peers, a test for each habit; and streams of
// npm hypercore-protocol, which they bring along.

const assert = require('node:assert/strict')
const ram = require('random-access-memory')
const stock = require('hypercore-9')
const Foreign = require('hypercore-protocol')
const { hypercore, test, defer, open, clone, ask, event, until, link, sleep } = require('./helpers')

const { Protocol } = hypercore

test('a peer is one live object, in every list and event', async (t) => {
  const seen = new Map()
  const see = (name) => (...args) => seen.set(name, args.at(-1))
  const written = []
  const feed = await filled(t, 3)
  const reader = await clone(t, feed, { onwrite: (index, value, peer, cb) => { written.push(peer); cb() } })
  const extension = { onmessage: see('extension') }
  feed.registerExtension('hello').broadcast(Buffer.from('nobody'))
  reader.registerExtension('hello', extension)
  for (const name of ['peer-add', 'peer-open', 'peer-remove', 'download']) reader.on(name, see(name))
  feed.on('upload', see('upload'))
  const [one, other] = link(t, feed, reader)
  const peer = seen.get('peer-add')
  assert.equal(reader.peers[0], peer)
  await event(reader, 'sync')
  feed.extensions.get('hello').broadcast(Buffer.from('all'))
  await until(() => seen.has('extension'))
  for (const name of ['peer-open', 'download', 'extension']) assert.equal(seen.get(name), peer, name)
  assert.equal(seen.get('upload'), feed.peers[0])
  assert.deepEqual(written, [peer, peer, peer])

  assert.equal(peer.feed, reader)
  assert.equal(peer.stream.stream, other)
  assert.deepEqual(peer.remotePublicKey, one.publicKey)
  const { remoteAddress, remoteOpened, remoteLength, remoteDownloading, remoteUploading, inflightRequests, stats } = peer
  assert.deepEqual({ remoteAddress, remoteOpened, remoteLength, remoteDownloading, remoteUploading, inflightRequests, downloaded: stats.downloadedBlocks },
    { remoteAddress: null, remoteOpened: true, remoteLength: 3, remoteDownloading: false, remoteUploading: true, inflightRequests: [], downloaded: 3 })
  assert.equal(typeof peer.remoteType, 'string')
  assert.equal(typeof peer.remoteBitfield.get(0), 'boolean')
  one.destroy()
  await until(() => seen.has('peer-remove'))
  assert.equal(seen.get('peer-remove'), peer)
  assert.deepEqual(reader.peers, [])
  assert.equal(peer.stats.downloadedBlocks, 3)
})

test('prefinalize holds back the end; replicating twice is harmless; an unknown feed is announced', async (t) => {
  const feed = await filled(t, 2)
  const reader = await clone(t, feed)
  const stranger = await open(t)
  const announced = []
  const [one, other] = link(t, feed, reader, { live: false })
  feed.replicate(one)
  reader.replicate(other, { live: false })
  one.prefinalize.wait()
  other.prefinalize.wait()
  other.on('discovery-key', (key) => announced.push(key))
  let ended = false
  one.on('end', () => { ended = true })
  await event(reader, 'sync')
  stranger.replicate(one)
  await until(() => announced.length > 0)
  assert.deepEqual(announced, [stranger.discoveryKey])
  await sleep(20)
  assert.equal(ended, false)
  other.close(stranger.discoveryKey)
  one.prefinalize.continue()
  other.prefinalize.continue()
  await until(() => ended)
})

test('extensions: handlers carry state, made by a function, encodings may be null', async (t) => {
  const feed = await filled(t, 1)
  const reader = await clone(t, feed)
  const handlers = { heard: [], encoding: null, onmessage (message) { this.heard.push(String(message)) } }
  reader.registerExtension('state', handlers)
  const sender = feed.registerExtension('state', (extension) => ({ encoding: 'utf-8', extension }))
  assert.equal(sender.handlers.extension, sender)
  link(t, feed, reader)
  await event(feed, 'peer-open')
  await until(() => feed.peers[0].remoteExtensions.names)
  sender.send('one', feed.peers[0])
  sender.broadcast('two')
  await until(() => handlers.heard.length === 2)
  assert.deepEqual(handlers.heard, ['one', 'two'])
})

const STREAMS = { foreign: (initiator, opts) => new Foreign(initiator, { live: true, ...opts }), ours: (initiator, opts) => new Protocol(initiator, { live: true, ...opts }) }
const FEEDS = { ours: hypercore, stock }

for (const [name, make] of Object.entries(STREAMS)) {
  for (const [from, Writer] of Object.entries(FEEDS)) {
    for (const [to, Reader] of Object.entries(FEEDS)) {
      test(`${name} streams, ${from} to ${to}: everything, new blocks, extensions, close`, async (t) => {
        const writer = await use(t, Writer)
        await ask(writer, 'append', Array.from({ length: 50 }, (_, i) => `block ${i}`))
        const reader = await use(t, Reader, writer.key)
        const heard = []
        reader.registerExtension('x', { onmessage: (message, peer) => heard.push(`${message} ${peer === reader.peers[0]}`) })
        const extension = writer.registerExtension('x')
        const [one, other] = pipe(t, make(true), make(false))
        assert.equal(writer.replicate(true, { stream: one, live: true }), one)
        assert.equal(reader.replicate(other, { live: true }), other)
        await until(() => reader.downloaded(0, 50) === 50)
        await ask(writer, 'append', 'more')
        assert.equal(String(await ask(reader, 'get', 50)), 'more')
        const peer = reader.peers[0]
        assert.deepEqual([peer.stream.stream === other, peer.remotePublicKey], [true, one.publicKey])
        extension.broadcast(Buffer.from('hello'))
        await until(() => heard.length > 0)
        assert.deepEqual(heard, ['hello true'])
        await ask(reader, 'close')
        await until(() => writer.peers.length === 0)
        assert.equal(other.destroyed, false)
      })
    }
  }
}

test('foreign streams: many feeds, sparse, seek, ack, switched off and on', async (t) => {
  const [one, other] = pipe(t, STREAMS.foreign(true), STREAMS.foreign(false))
  const acks = []
  one.on('ack', ({ start }) => acks.push(start))
  const feeds = [await filled(t, 4), await filled(t, 5)]
  const readers = []
  for (const feed of feeds) {
    const reader = await clone(t, feed, { sparse: true })
    feed.replicate(true, { stream: one, live: true, ack: true })
    reader.replicate(false, { stream: other, live: true })
    readers.push(reader)
  }
  assert.equal(String(await ask(readers[1], 'get', 4)), 'block 4')
  assert.deepEqual(await ask(readers[0], 'seek', 8), [1, 1])
  await until(() => acks.includes(4))
  feeds[0].setUploading(false)
  await until(() => readers[0].peers[0].remoteUploading === false)
  const waiting = ask(readers[0], 'get', 3)
  feeds[0].setUploading(true)
  assert.equal(String(await waiting), 'block 3')
  other.destroy()
  await until(() => readers.every((reader) => reader.peers.length === 0) && feeds.every((feed) => feed.peers.length === 0))
})

test('foreign streams: a bad block or message destroys the stream, and throws nothing', async (t) => {
  const feed = await filled(t, 3)
  const bad = [
    (channel) => channel.data({ index: 0, value: Buffer.from('forged'), nodes: [], signature: Buffer.alloc(64) }),
    (channel) => channel.data({ index: 0, value: Buffer.from('x'), nodes: [{ index: 1, hash: Buffer.alloc(3), size: 1 }], signature: Buffer.alloc(2) }),
    (channel) => channel.have({ start: 2 ** 60 }),
    (channel) => channel.have({ start: 3, length: 8192, bitfield: Buffer.alloc(50, 255) })
  ]
  for (const say of bad) {
    const reader = await clone(t, feed)
    const [one, other] = pipe(t, STREAMS.foreign(true), STREAMS.foreign(false))
    const closed = event(other, 'close')
    reader.replicate(other, { live: true })
    const channel = one.open(feed.key, {
      onwant: () => channel.have({ start: 0, length: 3 }),
      onrequest: () => say(channel)
    })
    await closed
    await until(() => reader.peers.length === 0)
    assert.equal(reader.downloaded(), 0)
  }
})

test('foreign streams: onfeedauthenticate, a wrong capability, twice on one stream, a request that is not answered', async (t) => {
  const feed = await filled(t, 1)
  const reader = await clone(t, feed)
  const [one, other] = pipe(t, STREAMS.foreign(true), STREAMS.foreign(false))
  const asked = []
  feed.replicate(one, { live: true, onfeedauthenticate: async (...args) => { asked.push(args) } })
  reader.replicate(other, { live: true })
  reader.replicate(other, { live: true })
  await until(() => reader.downloaded() === 1)
  assert.deepEqual([asked.length, asked[0][0], asked[0][1]], [1, feed, other.publicKey])
  assert.equal(reader.peers.length, 1)

  const [silent, impatient] = pipe(t, STREAMS.foreign(true, { timeout: 100 }), STREAMS.foreign(false, { timeout: 100 }))
  const failing = event(impatient, 'error')
  const third = await clone(t, feed)
  third.replicate(impatient, { live: true })
  const channel = silent.open(feed.key, { onwant: () => channel.have({ start: 0 }) })
  assert.equal((await failing)[0].message, 'Request timeout')
})

test('append without callback, then a foreign stream at once', async (t) => {
  const feed = await open(t)
  const reader = await clone(t, feed)
  const [one, other] = pipe(t, new Foreign(true), new Foreign(false))
  feed.append(['a', 'b'])
  feed.replicate(one)
  reader.replicate(other)
  await event(reader, 'sync')
  assert.equal(reader.length, 2)
})

async function filled (t, count) {
  const feed = await open(t)
  await ask(feed, 'append', Array.from({ length: count }, (_, i) => `block ${i}`))
  return feed
}

async function use (t, Feed, key) {
  const feed = new Feed(ram, key)
  defer(t, () => ask(feed, 'close').catch(() => {}))
  await ask(feed, 'ready')
  return feed
}

function pipe (t, one, other) {
  for (const stream of [one, other]) stream.on('error', () => {})
  one.pipe(other).pipe(one)
  defer(t, () => { one.destroy(); other.destroy() })
  return [one, other]
}
