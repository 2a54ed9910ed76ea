'use strict'
// Faults that were found in the half of the package that faces programs and peers, each with a test
// of its own.

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const ram = require('random-access-memory')
const stock = require('hypercore-9')
const { hypercore, test, defer, scratch, create, open, clone, ask, event, link, fill, files } = require('./helpers')
const { heldStorage } = require('./helpers/held-storage')
const { hugeLog } = require('./helpers/huge')
const { turns } = require('./helpers/beside')

// What never ends fails by this.
const LIMIT = { timeout: 60000 }
const KIB = 1024
const MIB = 1024 * KIB

// Each of these is one where the same must hold.
const STORAGES = {
  disk: (t) => path.join(scratch(t), 'feed'),
  'a JavaScript storage': () => heldStorage()
}

// ## 1. Streams that end

for (const order of ['writer first', 'reader first']) {
  test(`a reader without live and a writer that has cleared blocks end their streams, ${order}`, LIMIT, async (t) => {
    const writer = await open(t)
    await ask(writer, 'append', ['a', 'b', 'c'])
    await ask(writer, 'clear', 0, 1)
    const reader = await clone(t, writer)
    const [one, other] = order === 'writer first' ? [writer, reader] : [reader, writer]
    const streams = [one.replicate(true), other.replicate(false)]
    defer(t, () => streams.forEach((stream) => stream.destroy()))
    const closed = streams.map((stream) => event(stream, 'close'))
    streams[0].pipe(streams[1]).pipe(streams[0])
    await Promise.all(closed)
    assert.deepEqual([0, 1, 2].map((i) => reader.has(i)), [false, true, true])
  })
}

// ## 2. Read streams

for (const [name, storage] of Object.entries(STORAGES)) {
  test(`createReadStream with wait false gives all blocks before the first missing one, on ${name}`, LIMIT, async (t) => {
    for (const hole of [0, 1, 12, 17, 40]) {
      const feed = await open(t, storage(t))
      await fill(feed, 60, 10)
      await ask(feed, 'clear', hole, hole + 1)
      const blocks = []
      const stream = feed.createReadStream({ wait: false })
      stream.on('data', (data) => blocks.push(data))
      const err = await new Promise((resolve) => stream.on('error', resolve).on('end', resolve))
      assert.equal(err && err.code, 'ENOTDOWNLOADED', `hole at ${hole}`)
      assert.equal(blocks.length, hole, `blocks before the hole at ${hole}`)
    }
  })
}

// ## 3. What was cleared

test('a connected reader that clears blocks does not have them back until they are asked for', LIMIT, async (t) => {
  const writer = await open(t)
  await fill(writer, 20, 10)
  const reader = await clone(t, writer)
  link(t, writer, reader)
  await complete(reader, 20)
  await ask(reader, 'clear', 5, 10)
  // Each of these makes the reader look for what to ask for next.
  for (let i = 0; i < 40; i++) {
    const length = await ask(writer, 'append', `more ${i}`) + 1
    while (!reader.has(length - 1)) await event(reader, 'download')
    await turns(5)
  }
  assert.equal(reader.downloaded(5, 10), 0, 'cleared blocks came back')
  await ask(reader, 'get', 7)
  await ask(reader, 'download', { start: 8, end: 10 })
  assert.deepEqual([5, 6, 7, 8, 9].map((i) => reader.has(i)), [false, false, true, true, true])
})

// ## 5. A rotten block

for (const kind of ['disk', 'a JavaScript storage']) {
  test(`a rotten block of a reader whose nodes are in the cache is an error, on ${kind}`, LIMIT, async (t) => {
    const writer = await filled(t, 8)
    const [dir, held] = [scratch(t), heldStorage()]
    const reader = await clone(t, writer, {}, kind === 'disk' ? dir : held)
    for (let i = 0; i < 8; i++) await reader.put(i, await writer.get(i), await writer.proof(i, { digest: reader.digest(i) }))
    for (let i = 0; i < 8; i++) await reader.get(i)
    if (kind === 'disk') fs.writeFileSync(path.join(dir, 'data'), 'rotten', { flag: 'r+' })
    else held.files.data.write('rotten')
    await assert.rejects(ask(reader, 'get', 0), { code: 'EBADBLOCK' })
    await assert.rejects(ask(reader, 'get', 0, { wait: false }), { code: 'ENOTDOWNLOADED' })
    assert.equal(String(await ask(reader, 'get', 1)), String(await writer.get(1)))
  })
}

// ## 7. What is read

test('blocks that have just arrived are not read back for the gets that wait for them', LIMIT, async (t) => {
  const [count, size] = [256, 4 * KIB]
  const writer = await open(t)
  await fill(writer, count, size)
  const storage = heldStorage()
  const reader = await clone(t, writer, { sparse: true }, storage)
  link(t, writer, reader)
  await ask(reader, 'update')
  storage.resetCounters()
  await Promise.all(Array.from({ length: count }, (_, i) => ask(reader, 'get', i)))
  const read = storage.bytesRead.data || 0
  assert(read <= 0.1 * count * size, `${read} bytes of blocks read for ${count * size} bytes fetched`)
})

test('blocks that have just arrived are not read back from disk', LIMIT, async (t) => {
  const [count, size] = [512, 64 * KIB]
  const writer = await open(t, hypercore.memory())
  await fill(writer, count, size)
  const reader = await clone(t, writer, { sparse: true }, path.join(scratch(t), 'clone'))
  link(t, writer, reader)
  await ask(reader, 'update')
  const read = await bytesReadBy(async () => {
    for (let i = 0; i < count; i += 32) await Promise.all(Array.from({ length: 32 }, (_, j) => ask(reader, 'get', i + j)))
  })
  assert(read <= 0.1 * count * size, `${read} bytes read for ${count * size} bytes fetched`)
})

test('a local get reads once, also while an event waits', LIMIT, async (t) => {
  const [count, size] = [128, 32 * KIB]
  const feed = await open(t, path.join(scratch(t), 'feed'))
  await fill(feed, count, size)
  const read = await bytesReadBy(async () => {
    for (let i = 0; i < count; i++) await Promise.all([ask(feed, 'signature'), ask(feed, 'get', i)])
  })
  assert(read <= 1.1 * count * size, `${read} bytes read for ${count * size} bytes of blocks`)
})

test('a local get of a JavaScript storage reads once, also while an event waits', LIMIT, async (t) => {
  const storage = heldStorage()
  const feed = await open(t, storage)
  await fill(feed, 64, 100)
  storage.resetCounters()
  for (let i = 0; i < 64; i++) await Promise.all([ask(feed, 'signature'), ask(feed, 'get', i)])
  assert(storage.reads.data <= 64, `${storage.reads.data} reads of data for 64 gets`)
})

// ## 8. Memory

test('allowPush: a remote that pushes is held back while the storage writes nothing', { timeout: 60000 }, async (t) => {
  const [count, size] = [1024, 64 * KIB]
  const writer = await open(t, hypercore.memory())
  await fill(writer, count, size)
  const storage = heldStorage()
  const reader = await clone(t, writer, { sparse: true, allowPush: true }, storage)
  const { taken, push } = pusher(t, writer, reader)
  await push(0) // the channel is open, and the reader knows the length
  while (reader.downloaded() < 1) await turns(1)
  storage.hold()
  const pushed = (async () => { for (let i = 1; i < count; i++) await push(i) })()
  const started = taken()
  for (let [before, still] = [-1, 0]; still < 3000 && taken() - started < 2 * 16 * MIB; await turns(1)) {
    still = taken() === before ? still + 1 : 0
    before = taken()
  }
  const held = taken() - started
  storage.releaseAll()
  await pushed
  assert(held < 16 * MIB, `${held} bytes taken in while no write was answered`)
  while (reader.downloaded() < count) await turns(1)
})

test('requests of a foreign peer are capped', { timeout: 60000 }, async () => {
  const grown = await child(`
    const storage = heldStorage()
    const feed = hypercore(storage)
    await feed.append(Array.from({ length: 100000 }, (_, i) => 'block ' + i))
    await feed.close()
    const held = heldStorage(storage.files) // nothing of it is in a cache
    const again = hypercore(held)
    await again.ready()
    const [one, other] = pair(new Protocol(true), new Protocol(false))
    let handlers // what the stream calls for each message
    const { open } = other
    other.open = (key, given) => open.call(other, key, handlers = given)
    again.replicate(other, { live: true })
    one.open(feed.key, {}).status({ uploading: true, downloading: true })
    while (!again.peers.some((peer) => peer.remoteOpened)) await turn()
    held.hold()
    return (i) => handlers.onrequest({ index: i % 100000, bytes: 0, hash: false, nodes: 0 })
  `, 3000000)
  assert(grown < 20 * MIB, `${grown} bytes grown by 3,000,000 requests`)
})

test('opening one channel for one log after the other grows nothing', { timeout: 60000 }, async () => {
  const grown = await child(`
    const feed = hypercore(() => ram())
    await feed.ready()
    const [one] = pair(new Protocol(true), feed.replicate(false, { live: true }))
    await new Promise((resolve) => one.once('handshake', resolve))
    const names = Buffer.alloc(32)
    return (i) => {
      names.writeUInt32LE(i)
      one.state.open(0, { discoveryKey: names, capability: names })
    }
  `, 200000)
  assert(grown < 20 * MIB, `${grown} bytes grown by 200,000 opens of one channel`)
})

// ## 9. Storages of different kinds

for (const file of ['key', 'secret_key', 'tree', 'data', 'bitfield', 'signatures']) {
  for (const has of [true, false]) {
    test(`a storage function where ${has ? 'only' : 'all but'} the storage of ${file} ${has ? 'has' : 'have'} stat`, LIMIT, async (t) => {
      const inner = heldStorage()
      const storage = (name) => {
        const { stat, statable, ...face } = inner(name)
        return (name === file) === has ? { ...face, stat, statable } : face
      }
      const feed = await open(t, storage)
      await fill(feed, 10, 10)
      await ask(feed, 'clear', 2, 4)
      assert.deepEqual({ ...await feed.audit() }, { valid: 8, invalid: 0 })
      await ask(feed, 'close')
      const again = await open(t, storage)
      assert.equal(again.length, 10)
      assert.equal(String(await again.get(9)), String(await again.get(9, { wait: false })))
      await again.append('more')
      await again.truncate(5)
      assert.equal(again.length, 5)
    })
  }
}

// ## 10. What a failed open leaves

test('a failed open leaves no files and no folders behind', LIMIT, async (t) => {
  const dir = scratch(t)
  for (const [opts, key] of [[{ writable: true }, Buffer.alloc(32, 1)], [{ createIfMissing: false }, null]]) {
    const feed = create(t, path.join(dir, 'some', 'where'), key, opts)
    feed.on('error', () => {})
    await assert.rejects(ask(feed, 'ready'))
    assert.deepEqual(files(dir), [], `after ${JSON.stringify(opts)}`)
  }
})

test('a failed open leaves a folder that was there as it was', LIMIT, async (t) => {
  const dir = scratch(t)
  fs.writeFileSync(path.join(dir, 'notes'), 'mine')
  const feed = create(t, dir, Buffer.alloc(32, 1), { writable: true })
  feed.on('error', () => {})
  await assert.rejects(ask(feed, 'ready'))
  assert.deepEqual(files(dir), ['notes'])
})

// ## 12. Caches

test('truncate of a clone of 8 Mi blocks touches only what a cache was given', LIMIT, async (t) => {
  const { key, block, proof } = hugeLog(23)
  for (const part of ['data', 'tree']) {
    let calls = 0
    const kept = new Map()
    const cache = {
      get: (index) => kept.get(index),
      set (index, value) {
        calls++
        kept.set(index, value)
      }
    }
    const feed = await open(t, hypercore.memory(), key, { sparse: true, cache: { [part]: cache } })
    await feed.put(0, block, proof)
    await feed.get(0)
    calls = 0
    await feed.truncate(1)
    assert(calls <= 100, `${calls} calls of cache.${part}.set`)
  }
})

// ## 13. Messages

test('messages are those of hypercore 9', LIMIT, async (t) => {
  const [ours, theirs] = [await open(t), stock(() => ram())]
  for (const feed of [ours, theirs]) await ask(feed, 'append', ['a', 'bc', 'def'])
  const key = theirs.key
  const readers = [await open(t, null, ours.key, { sparse: true }), stock(() => ram(), key, { sparse: true })]
  await ask(readers[1], 'ready')
  for (const [what, pair, ...call] of [
    ['seek past the end', [ours, theirs], 'seek', 100, { wait: false }],
    ['seek in an empty clone', readers, 'seek', 5, { wait: false }],
    ['rootHashes beyond the roots', [ours, theirs], 'rootHashes', 10],
    ['rootHashes of an empty clone', readers, 'rootHashes', 2]
  ]) {
    const [mine, other] = await Promise.all(pair.map((feed) => ask(feed, ...call).then(() => 'no error', (err) => err.message)))
    assert.equal(mine, other, what)
  }
  await ask(theirs, 'close')
  await ask(readers[1], 'close')
})

// ## Help

async function filled (t, count) {
  const feed = await open(t)
  await fill(feed, count, 10)
  return feed
}

async function complete (reader, count) {
  while (reader.downloaded() < count) await event(reader, 'download')
}

// Bytes that the process read from files meanwhile.
async function bytesReadBy (work) {
  const read = () => Number(/rchar: (\d+)/.exec(fs.readFileSync('/proc/self/io', 'utf8'))[1])
  const before = read()
  await work()
  return read() - before
}

// A remote of `reader` that sends blocks which nobody asked for; `taken()` are the bytes that the
// reader's stream took.
function pusher (t, writer, reader) {
  const remote = new hypercore.Protocol(true)
  const local = reader.replicate(false, { live: true })
  defer(t, () => [remote, local].forEach((stream) => stream.destroy()))
  let bytes = 0
  for (const stream of [remote, local]) stream.on('error', () => {})
  local.on('data', (data) => remote.write(data))
  remote.on('data', (data) => {
    remote.pause()
    local.write(data, () => {
      bytes += data.length
      remote.resume()
    })
  })
  const channel = remote.open(writer.key, {})
  const opened = event(reader, 'peer-open')
  const push = async (index) => {
    await opened
    const value = await writer.get(index)
    const { nodes, signature } = await writer.proof(index)
    channel.data({ index, value, nodes, signature })
    await turns(1)
  }
  return { taken: () => bytes, push }
}

// Memory that a process of its own grows by, after garbage collection, over `count` calls of what
// `script` returns. The first tenth is not counted.
async function child (script, count) {
  const code = `
    const hypercore = require(${JSON.stringify(path.join(__dirname, 'helpers', 'hypercore.js'))})
    const ram = require(${JSON.stringify(require.resolve('random-access-memory'))})
    const { heldStorage } = require(${JSON.stringify(path.join(__dirname, 'helpers', 'held-storage.js'))})
    const Protocol = require(${JSON.stringify(require.resolve('hypercore-protocol'))})
    const pair = (one, other) => {
      one.on('error', () => {})
      other.on('error', () => {})
      one.pipe(other).pipe(one)
      return [one, other]
    }
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const settle = async () => { for (let i = 0; i < 300; i++) await turn() }
    const size = async () => { await settle(); gc(); await settle(); gc(); const { rss, heapTotal, heapUsed } = process.memoryUsage(); return rss - heapTotal + heapUsed }
    async function main () {
      const step = await (async () => { ${script} })()
      const run = async (from, to) => { for (let i = from; i < to; i++) { step(i); if (i % 100 === 0) await turn() } }
      await run(0, ${count / 10})
      const before = await size()
      await run(${count / 10}, ${count})
      console.log(await size() - before)
      process.exit(0)
    }
    main().catch((err) => { console.error(err); process.exit(1) })
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', code])
  return Number(stdout)
}
