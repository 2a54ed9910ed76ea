'use strict'
// Replication: whole and sparse, live and ending, over every kind of pipe, among several peers,
// against noise.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const net = require('node:net')
const { Duplex, Transform, pipeline } = require('node:stream')
const pump = require('pump')
const { test, defer, scratch, create, open, clone, ask, event, until, sleep, link, fill, block, failed } = require('./helpers')

// Noise key pairs made by hypercore-protocol@8 from seeds of 32 times 1 and 32 times 2.
const [PAIR_1, PAIR_2] = [
  ['ab2fca32898322c208fb2dab5048bd43c355c6430f588897cb574961cfa9806f', 'f40ceaf86e5776923332b8d8fd3bef849cadb19c6996bc272af1f648d9566a4c'],
  ['fc3b339367a5225d53a92d380323afd035d7817b6d1be47d946f6b09a9cbdc06', 'd9818087de7244abc1b5fcf28e55e42c7ff9c678c0605181f37ac5d7414a7b95']
].map(([publicKey, secretKey]) => ({ publicKey: Buffer.from(publicKey, 'hex'), secretKey: Buffer.from(secretKey, 'hex') }))

const MIXED = Array.from({ length: 200 }, (_, i) => (i % 7 === 0 ? 0 : (i * 7919) % 5000))

test('replicate returns a Duplex stream', async (t) => {
  const feed = await open(t)
  const stream = feed.replicate(true)
  defer(t, () => stream.destroy())
  for (const method of ['pipe', 'write', 'end', 'read', 'destroy', 'on']) assert.equal(typeof stream[method], 'function')
  assert(stream instanceof Duplex)
})

test('a full clone fetches everything; sync, download and upload are told', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, null, scratch(t))
  const downloads = []
  let uploads = 0
  reader.on('download', (index, data, peer) => {
    downloads.push(index)
    assert(data.equals(block(index, MIXED[index])))
    assert.equal(peer, reader.peers[0])
  })
  writer.on('upload', (index, data, peer) => {
    uploads++
    assert(data.equals(block(index, MIXED[index])))
    assert.equal(peer, writer.peers[0])
  })
  const synced = event(reader, 'sync')
  link(t, writer, reader)
  await synced
  assert.equal(reader.length, MIXED.length)
  assert.equal(reader.byteLength, writer.byteLength)
  assert.equal(reader.downloaded(), MIXED.length)
  await same(reader)
  assert.equal(downloads.length, MIXED.length)
  assert.equal(new Set(downloads).size, MIXED.length)
  assert(uploads >= MIXED.length)
  assert.equal(reader.stats.totals.downloadedBlocks, MIXED.length)
  assert.equal(reader.stats.totals.downloadedBytes, writer.byteLength)
  assert.equal(writer.stats.totals.uploadedBlocks, uploads)
})

test('what was fetched is there after reopening, without peers', async (t) => {
  const dir = scratch(t)
  const writer = await filled(t)
  const reader = await clone(t, writer, null, dir)
  link(t, writer, reader)
  await event(reader, 'sync')
  await ask(reader, 'close')
  const again = await open(t, dir)
  assert.equal(again.writable, false)
  assert.equal(again.length, MIXED.length)
  await same(again)
})

test('a sparse clone fetches what is asked for and nothing else', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  assert((await ask(reader, 'get', 150)).equals(block(150, MIXED[150])))
  assert((await ask(reader, 'get', 3)).equals(block(3, MIXED[3])))
  assert.equal(reader.length, MIXED.length)
  await sleep(50)
  assert.equal(reader.downloaded(), 2)
  assert.equal(reader.has(150), true)
  assert.equal(reader.has(151), false)
})

test('update, remoteLength, head and seek on a sparse clone', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  await ask(reader, 'update')
  assert.equal(reader.length, MIXED.length)
  assert.equal(reader.remoteLength, MIXED.length)
  assert.equal(reader.peers[0].remoteBitfield.get(5), true)
  assert.equal(reader.peers[0].remoteBitfield.get(MIXED.length), false)
  assert.equal(reader.downloaded(), 0)
  const last = MIXED.length - 1
  assert((await ask(reader, 'head')).equals(block(last, MIXED[last])))
  const at = MIXED.slice(0, 100).reduce((a, b) => a + b)
  assert.deepEqual(await ask(reader, 'seek', at + 1), [100, 1])
  await ask(writer, 'append', 'new')
  assert.deepEqual(await ask(reader, 'head', { update: true }), Buffer.from('new'))
  await ask(reader, 'update', { ifAvailable: true, minLength: MIXED.length })
  await assert.rejects(ask(reader, 'update', { ifAvailable: true }), failed('No update available from peers'))
})

test('download of a range, of a list, of one block', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  await ask(reader, 'download', { start: 10, end: 30 })
  assert.equal(reader.downloaded(10, 30), 20)
  await ask(reader, 'download', { start: 100, end: 110, linear: true })
  await ask(reader, 'download', { blocks: [1, 50, 199] })
  await ask(reader, 'download', [60, 61])
  await ask(reader, 'download', 70)
  assert.equal(reader.downloaded(), 20 + 10 + 3 + 2 + 1)
  await ask(reader, 'download', { start: 10, end: 30 })
})

test('getBatch fetches what is missing of it', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  await ask(reader, 'get', 21)
  const batch = await ask(reader, 'getBatch', 20, 25)
  for (const [i, data] of batch.entries()) assert(data.equals(block(20 + i, MIXED[20 + i])))
})

test('undownload stops a download; get goes on', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  let selection
  const stopped = new Promise((resolve) => { selection = reader.download({ start: 0, end: 100 }, resolve) })
  reader.undownload(selection)
  assert.equal((await stopped).code, 'ECANCELED')
  await fill(writer, 10, 3)
  assert((await ask(reader, 'get', 5)).equals(block(5, 3)))
  await sleep(30)
  assert.equal(reader.downloaded(), 1)
})

test('a cancelled get is not fetched', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  let id
  const got = new Promise((resolve) => { id = reader.get(0, resolve) })
  await sleep(20)
  reader.cancel(id)
  assert.equal((await got).message, 'Request cancelled')
  await fill(writer, 2, 3)
  await ask(reader, 'get', 1)
  assert.equal(reader.has(0), false)
})

test('live: a full clone follows the writer', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer)
  link(t, writer, reader)
  for (let i = 0; i < 20; i++) {
    await ask(writer, 'append', [`${i}`, 'x'])
    assert.equal(String(await ask(reader, 'get', 2 * i)), `${i}`)
  }
  await until(() => reader.downloaded() === 40)
  assert.equal(reader.length, 40)
})

test('live: a sparse clone with eagerUpdate learns new lengths by itself', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer, { sparse: true, eagerUpdate: true })
  link(t, writer, reader)
  const lengths = []
  reader.on('append', () => lengths.push(reader.length))
  for (let i = 1; i <= 5; i++) {
    await fill(writer, 10, 5)
    await until(() => reader.length === 10 * i)
  }
  assert.deepEqual(lengths, [10, 20, 30, 40, 50])
  assert.equal(reader.downloaded(), 0)
})

test('without eagerUpdate a sparse clone stays as it is until asked', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  await fill(writer, 10, 5)
  await until(() => reader.remoteLength === 10)
  await sleep(20)
  assert.equal(reader.length, 0)
  await ask(reader, 'update')
  assert.equal(reader.length, 10)
})

test('peers come, open and go, and are the same object throughout', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer)
  const order = []
  let peer = null
  reader.on('peer-add', (one) => { peer = one; order.push(`add ${reader.peers.includes(one)}`) })
  reader.on('peer-open', (one) => order.push(`open ${one === peer && reader.peers.includes(one)}`))
  reader.on('peer-remove', (one) => order.push(`remove ${one === peer && !reader.peers.includes(one)}`))
  const [stream] = link(t, writer, reader)
  assert.deepEqual(order, ['add true'])
  await event(reader, 'sync')
  assert.equal(peer.remoteLength, MIXED.length)
  assert.equal(peer.remoteOpened, true)
  assert.equal(peer.feed, reader)
  assert.equal(peer.remotePublicKey.length, 32)
  assert.equal(peer.stats.downloadedBlocks, MIXED.length)
  stream.destroy()
  await until(() => order.length === 3)
  assert.deepEqual(order, ['add true', 'open true', 'remove true'])
  assert.deepEqual(reader.peers, [])
  await until(() => writer.peers.length === 0)
})

test('keyPair and noiseKeyPair are what the other side sees', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { noiseKeyPair: PAIR_2 })
  const one = writer.replicate(true, { live: true, keyPair: PAIR_1 })
  const other = reader.replicate(false, { live: true })
  defer(t, () => { one.destroy(); other.destroy() })
  one.pipe(other).pipe(one)
  await event(reader, 'sync')
  assert.deepEqual(reader.peers[0].remotePublicKey, PAIR_1.publicKey)
  assert.deepEqual(writer.peers[0].remotePublicKey, PAIR_2.publicKey)
  assert.deepEqual(one.remotePublicKey, PAIR_2.publicKey)
})

test('onauthenticate may turn a remote away', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer)
  const { publicKey } = reader.noiseKeyPair
  for (const verdict of [null, new Error('not you')]) {
    let asked = null
    const one = writer.replicate(true, { live: true, onauthenticate (key, done) { asked = key; done(verdict) } })
    const other = reader.replicate(false, { live: true })
    const ended = new Promise((resolve) => one.on('error', resolve))
    other.on('error', () => {})
    one.pipe(other).pipe(one)
    if (verdict) assert((await ended) instanceof Error)
    else await event(reader, 'sync')
    assert.deepEqual(asked, publicKey)
    one.destroy()
    other.destroy()
  }
})

test('encrypted: false, and noise: false as well', async (t) => {
  for (const options of [{ encrypted: false }, { encrypted: false, noise: false }]) {
    const writer = await filled(t)
    const reader = await clone(t, writer)
    const seen = []
    const spy = new Transform({ transform (chunk, _, cb) { seen.push(Buffer.from(chunk)); cb(null, chunk) } })
    link(t, writer, reader, options, spy)
    await event(reader, 'sync')
    await same(reader)
    const plain = Buffer.concat(seen).includes('block 5, block 5, block 5')
    assert.equal(plain, true)
  }
})

test('encrypted streams do not show the blocks', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer)
  const seen = []
  const spy = new Transform({ transform (chunk, _, cb) { seen.push(Buffer.from(chunk)); cb(null, chunk) } })
  link(t, writer, reader, {}, spy)
  await event(reader, 'sync')
  assert.equal(Buffer.concat(seen).includes('block 5, block 5'), false)
})

test('upload: false and download: false', async (t) => {
  for (const [give, take] of [[{ upload: false }, {}], [{}, { download: false }]]) {
    const writer = await filled(t)
    const reader = await clone(t, writer)
    const one = writer.replicate(true, { live: true, ...give })
    const other = reader.replicate(false, { live: true, ...take })
    defer(t, () => { one.destroy(); other.destroy() })
    one.pipe(other).pipe(one)
    await event(reader, 'peer-open')
    await sleep(50)
    assert.equal(reader.downloaded(), 0)
  }
})

test('setDownloading and setUploading switch at run time', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { downloading: false })
  link(t, writer, reader)
  await event(reader, 'peer-open')
  await sleep(50)
  assert.equal(reader.downloaded(), 0)
  reader.setDownloading(true)
  await event(reader, 'sync')
  await same(reader)
})

test('different keys do not meet', async (t) => {
  const writer = await filled(t)
  const stranger = await open(t, null, Buffer.alloc(32, 1))
  const opened = []
  stranger.on('peer-open', () => opened.push('stranger'))
  writer.on('peer-open', () => opened.push('writer'))
  const [one] = link(t, writer, stranger)
  const [dk] = await event(one, 'discovery-key')
  assert.deepEqual(dk, stranger.discoveryKey)
  await sleep(30)
  assert.deepEqual(opened, [])
  assert.equal(stranger.length, 0)
})

test('several feeds share one stream', async (t) => {
  const writers = [await filled(t), await filled(t, [1, 2, 3])]
  const readers = [await clone(t, writers[0]), await clone(t, writers[1])]
  const one = writers[0].replicate(true, { live: true })
  const other = readers[0].replicate(false, { live: true })
  writers[1].replicate(one, { live: true })
  readers[1].replicate(false, { live: true, stream: other })
  readers[1].replicate(other, { live: true })
  defer(t, () => { one.destroy(); other.destroy() })
  const synced = readers.map((reader) => event(reader, 'sync'))
  one.pipe(other).pipe(one)
  await Promise.all(synced)
  await same(readers[0])
  await same(readers[1], [1, 2, 3])
  assert.equal(readers[1].peers.length, 1)
})

test('over a net socket, both directions at once', async (t) => {
  const [a, b] = [await filled(t), await filled(t, [10, 0, 20])]
  const [cloneA, cloneB] = [await clone(t, a, null, scratch(t)), await clone(t, b, null, scratch(t))]
  const [client, server] = await sockets(t)
  const left = a.replicate(false, { live: true })
  cloneB.replicate(left, { live: true })
  const right = b.replicate(true, { live: true })
  cloneA.replicate(right, { live: true })
  for (const stream of [left, right]) stream.on('error', () => {})
  server.pipe(left).pipe(server)
  client.pipe(right).pipe(client)
  await Promise.all([event(cloneA, 'sync'), event(cloneB, 'sync')])
  await same(cloneA)
  await same(cloneB, [10, 0, 20])
})

test('pump and pipeline join the streams and hear of the end', async (t) => {
  const plumbers = [
    (streams, done) => pump(...streams, done),
    (streams, done) => pipeline(...streams, done)
  ]
  for (const plumb of plumbers) {
    const writer = await filled(t)
    const reader = await clone(t, writer)
    const one = writer.replicate(true)
    const other = reader.replicate(false)
    await new Promise((resolve, reject) => plumb([one, other, one], (err) => err ? reject(err) : resolve()))
    await same(reader)
  }
})

test('a broken socket reaches the stream as an error and removes the peer', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer)
  const [client, server] = await sockets(t)
  const ends = []
  const finished = Promise.all([
    new Promise((resolve) => pump(server, writer.replicate(false, { live: true }), server, (err) => { ends.push(err); resolve() })),
    new Promise((resolve) => pump(client, reader.replicate(true, { live: true }), client, (err) => { ends.push(err); resolve() }))
  ])
  await event(reader, 'peer-open')
  client.destroy()
  await finished
  assert.equal(ends.length, 2)
  await until(() => reader.peers.length === 0 && writer.peers.length === 0)
  await ask(writer, 'append', 'still fine')
})

test('one reader, three seeders with a part each', async (t) => {
  const writer = await filled(t)
  const parts = [[0, 70], [70, 140], [140, 200]]
  const seeders = await Promise.all(parts.map(async ([start, end]) => {
    const seeder = await clone(t, writer, { sparse: true })
    const [stream] = link(t, writer, seeder)
    await ask(seeder, 'download', { start, end })
    stream.destroy()
    await until(() => seeder.peers.length === 0)
    return seeder
  }))
  const reader = await clone(t, writer)
  for (const seeder of seeders) link(t, seeder, reader)
  await event(reader, 'sync')
  await same(reader)
  const given = seeders.map((seeder) => seeder.stats.totals.uploadedBlocks)
  assert(given[0] >= 70 && given[1] >= 70 && given[2] >= 60, given)
  assert.equal(reader.peers.length, 3)
})

test('a chain: the reader in the middle passes everything on', async (t) => {
  const writer = await open(t)
  const middle = await clone(t, writer)
  const last = await clone(t, writer)
  link(t, writer, middle)
  link(t, middle, last)
  await fill(writer, 50, 100)
  await until(() => last.downloaded() === 50)
  assert((await ask(last, 'get', 49)).equals(block(49, 100)))
})

test('a cleared block is fetched again from the next peer', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { sparse: true })
  const [stream] = link(t, writer, reader)
  await ask(reader, 'get', 8)
  await ask(reader, 'clear', 8)
  assert.equal(reader.has(8), false)
  stream.destroy()
  link(t, writer, reader)
  assert((await ask(reader, 'get', 8)).equals(block(8, MIXED[8])))
})

test('a block that the writer cleared is not waited for from it', async (t) => {
  const writer = await filled(t)
  await ask(writer, 'clear', 5, 10)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  await ask(reader, 'get', 4)
  await assert.rejects(ask(reader, 'get', 5, { ifAvailable: true }), failed('Block not available from peers'))
})

test('a reader that is not live ends when it has what the writer has not cleared', async (t) => {
  for (const [holes, left] of [[[[0, 1]], 2], [[[1, 2]], 2], [[[2, 3]], 2], [[[0, 3]], 0], [[], 3]]) {
    const writer = await open(t)
    await fill(writer, 3, 10)
    for (const [start, end] of holes) await ask(writer, 'clear', start, end)
    const reader = await clone(t, writer)
    const ends = link(t, writer, reader, { live: false })
    await Promise.all(ends.map((stream) => event(stream, 'close')))
    assert.equal(reader.downloaded(), left, JSON.stringify(holes))
  }
})

test('and when the writer clears while it reads', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer)
  const ends = link(t, writer, reader, { live: false })
  const closed = Promise.all(ends.map((stream) => event(stream, 'close')))
  await event(reader, 'download')
  await ask(writer, 'clear', 20, MIXED.length)
  await closed
  assert(reader.downloaded(0, 20) === 20)
})

test('what a connected reader clears stays cleared until it is asked for', async (t) => {
  const writer = await open(t)
  await fill(writer, 10, 100)
  const reader = await clone(t, writer)
  const [stream] = link(t, writer, reader)
  await event(reader, 'sync')
  await ask(reader, 'clear', 2, 8)
  const has = () => Array.from({ length: reader.length }, (_, i) => Number(reader.has(i))).join('')
  // New blocks come as ever; that the last one is here shows that all was decided on.
  await ask(writer, 'append', block(10, 100))
  await until(() => reader.has(10))
  assert.equal(has(), '11000000111')
  assert((await ask(reader, 'get', 3)).equals(block(3, 100)))
  await ask(reader, 'download', { start: 5, end: 7 })
  await ask(reader, 'download', [7])
  assert.equal(has(), '11010111111')
  await ask(writer, 'append', block(11, 100))
  await until(() => reader.has(11))
  assert.equal(has(), '110101111111')
  stream.destroy()
  link(t, writer, reader)
  await until(() => reader.downloaded() === 12)
})

test('a sparse reader that downloads for ever may clear what it has read', async (t) => {
  const writer = await open(t)
  await fill(writer, 10, 100)
  const reader = await clone(t, writer, { sparse: true })
  reader.download().catch(() => {})
  link(t, writer, reader)
  await until(() => reader.downloaded() === 10)
  await ask(reader, 'clear', 0, 9)
  await ask(writer, 'append', block(10, 100))
  await until(() => reader.has(10))
  assert.equal(reader.downloaded(), 2)
})

test('any cut of the byte stream will do', { timeout: 60000 }, async (t) => {
  for (const seed of [1, 2, 3, 4]) {
    const writer = await filled(t)
    const reader = await clone(t, writer)
    link(t, writer, reader, {}, chunker(seed, seed === 1 ? 1 : 65536))
    await event(reader, 'sync').catch((err) => assert.fail(`seed ${seed}: ${err}`))
    await same(reader)
  }
})

test('a slow pipe holds back the writer', { timeout: 60000 }, async (t) => {
  const count = 400
  const writer = await open(t)
  for (let i = 0; i < 4; i++) await fill(writer, count / 4, 32768)
  const reader = await clone(t, writer)
  let passed = 0
  let open_ = null
  const gate = new Promise((resolve) => { open_ = resolve })
  const slow = new Transform({
    transform (chunk, _, cb) {
      passed += chunk.length
      if (passed < 1 << 18) cb(null, chunk)
      else gate.then(() => cb(null, chunk))
    }
  })
  const [one] = link(t, writer, reader, {}, slow)
  await until(() => passed >= 1 << 18)
  await sleep(100)
  assert((one.readableLength || 0) <= 1 << 20, `${one.readableLength} bytes wait in the stream`)
  assert(reader.downloaded() < count)
  open_()
  await event(reader, 'sync')
  assert.equal(reader.downloaded(), count)
})

test('garbage ends its own stream and no other', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer, { sparse: true })
  link(t, writer, reader)
  await ask(reader, 'get', 0)
  for (let round = 0; round < 20; round++) {
    const victim = writer.replicate(round % 2 === 0, { live: true, encrypted: round % 3 !== 0, noise: round % 3 !== 0 })
    const closed = event(victim, 'close')
    victim.on('error', () => {})
    victim.resume()
    victim.write(crypto.createHash('shake256', { outputLength: 70000 }).update(`garbage ${round}`).digest())
    victim.end()
    await closed
  }
  assert((await ask(reader, 'get', 1)).equals(block(1, MIXED[1])))
  assert.equal(writer.peers.length, 1)
})

test('a flipped byte on the way is an error of that stream; another one brings the rest', async (t) => {
  const writer = await filled(t)
  const reader = await clone(t, writer)
  let seen = 0
  const flip = new Transform({
    transform (chunk, _, cb) {
      const at = 60000 - seen
      seen += chunk.length
      if (at >= 0 && at < chunk.length) chunk = Buffer.from(chunk.map((byte, i) => i === at ? byte ^ 0xff : byte))
      cb(null, chunk)
    }
  })
  link(t, writer, reader, { timeout: 500 }, flip)
  await until(() => seen > 60000)
  link(t, writer, reader)
  await until(() => reader.downloaded() === MIXED.length)
  await same(reader)
})

test('timeout: a stream on which nothing comes is destroyed', async (t) => {
  const feed = await open(t)
  const stream = feed.replicate(true, { live: true, timeout: 100 })
  const error = new Promise((resolve) => stream.on('error', resolve))
  const closed = event(stream, 'close')
  stream.resume()
  assert((await error) instanceof Error)
  await closed
  assert.equal(feed.peers.length, 0)
})

test('ack: the giver hears what the taker has stored', async (t) => {
  const writer = await open(t)
  const reader = await clone(t, writer)
  const acked = new Set()
  const [one] = link(t, writer, reader, { ack: true })
  one.on('ack', ({ start, length }) => { for (let i = 0; i < (length || 1); i++) acked.add(start + i) })
  await fill(writer, 10, 10)
  await until(() => acked.size === 10)
})

test('close of a feed ends its channels and fails what waits', async (t) => {
  const writer = await filled(t, [1])
  const reader = await clone(t, writer)
  link(t, writer, reader)
  await event(reader, 'sync')
  const waiting = ask(reader, 'get', 77)
  const removed = event(writer, 'peer-remove')
  await Promise.all([ask(reader, 'close'), assert.rejects(waiting, failed('Feed is closed'))])
  await removed
  assert.equal(reader.peers.length, 0)
  assert.equal(writer.peers.length, 0)
})

test('append without callback, then replicate at once', async (t) => {
  const writer = await open(t)
  writer.append(['a', 'b'])
  const reader = await clone(t, writer)
  link(t, writer, reader)
  await event(reader, 'sync')
  assert.equal(reader.length, 2)
})

test('replicate before ready, on both sides', async (t) => {
  const dir = scratch(t)
  const first = await open(t, dir)
  await fill(first, 20, 30)
  await ask(first, 'close')
  const writer = create(t, dir)
  const reader = create(t, null, first.key)
  link(t, writer, reader)
  await event(reader, 'sync')
  assert.equal(reader.downloaded(), 20)
})

async function filled (t, sizes = MIXED) {
  const feed = await open(t)
  await ask(feed, 'append', sizes.map((n, i) => block(i, n)))
  return feed
}

async function same (feed, sizes = MIXED) {
  const blocks = await Promise.all(sizes.map((_, i) => ask(feed, 'get', i, { wait: false })))
  for (const [i, data] of blocks.entries()) assert(data.equals(block(i, sizes[i])), `block ${i}`)
}

// A pair of connected sockets.
async function sockets (t) {
  const server = net.createServer()
  defer(t, () => { server.close() })
  server.listen(0, '127.0.0.1')
  await event(server, 'listening')
  const client = net.connect(server.address().port, '127.0.0.1')
  const [socket] = await event(server, 'connection')
  for (const end of [client, socket]) {
    end.on('error', () => {})
    defer(t, () => { end.destroy() })
  }
  return [client, socket]
}

// Cuts into pieces of 1 to `most` bytes, the same for the same seed.
function chunker (seed, most) {
  let state = seed
  return new Transform({
    transform (chunk, _, cb) {
      while (chunk.length) {
        state = (state * 1103515245 + 12345) % 2147483648
        const length = most === 1 ? 1 : Math.ceil(most ** ((state % 1000) / 1000))
        this.push(chunk.subarray(0, length))
        chunk = chunk.subarray(length)
      }
      cb()
    }
  })
}
