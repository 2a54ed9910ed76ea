'use strict'
// What programs written for hypercore 9 lean on, a test for each habit: one feed alone. The habits
// among peers are in the next chapter.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const { EventEmitter } = require('node:events')
const path = require('node:path')
const { inspect } = require('node:util')
const ram = require('random-access-memory')
const { hypercore, test, scratch, create, open, clone, ask, event, link, sleep, failed } = require('./helpers')

const KEY = Buffer.alloc(32, 7)

test('made with and without new; a full emitter that takes any property; known right after the constructor', (t) => {
  const symbol = Symbol('mine')
  for (const feed of [hypercore(ram), new hypercore(ram)]) { // eslint-disable-line new-cap
    assert(feed instanceof hypercore && feed instanceof EventEmitter)
    feed[symbol] = feed.mine = 1
    assert.equal(feed[symbol] + feed.mine, 2)
    const { key, discoveryKey, length, peers, secretKey, maxRequests, live, sparse, readable } = feed
    assert.deepEqual({ key, discoveryKey, length, peers, secretKey, maxRequests, live, sparse, readable },
      { key: null, discoveryKey: null, length: 0, peers: [], secretKey: null, maxRequests: 16, live: true, sparse: false, readable: true })
    assert.equal(feed.noiseKeyPair.publicKey.length, 32)
  }
  for (const feed of [hypercore(ram, KEY), hypercore(ram, KEY.toString('hex')), hypercore(ram, { key: KEY })]) {
    assert.deepEqual(feed.key, KEY)
    assert.deepEqual(feed.discoveryKey, hypercore.discoveryKey(KEY))
  }
})

test('storages: asked for in order, with little ability, as views, again, one write a batch, their own errors, their close', async (t) => {
  const asked = []
  const writes = []
  const closed = []
  const instances = new Map()
  const storage = (name, opts) => {
    asked.push([name, Object.keys(opts)])
    if (!instances.has(name)) instances.set(name, minimal(ram(), (...write) => writes.push([name, ...write]), () => closed.push(name)))
    return instances.get(name)
  }
  const feed = hypercore(storage)
  assert.deepEqual(asked, [['key', []]])
  await ask(feed, 'append', ['a', 'bc'])
  assert.deepEqual(asked.slice(1).map(([name]) => name), ['secret_key', 'tree', 'data', 'bitfield', 'signatures'])
  for (const [, names] of asked.slice(1)) assert.deepEqual(names, ['key', 'discoveryKey'])
  assert.deepEqual(writes.filter(([name]) => name === 'data'), [['data', 0, Buffer.from('abc')]])
  await ask(feed, 'close')
  assert.equal(closed.length, 6)

  const again = await open(t, storage)
  assert.deepEqual([again.length, String(await ask(again, 'get', 1))], [2, 'bc'])
  const view = await open(t, (name) => name === 'key' ? derived(feed.key) : instances.get(name))
  assert.deepEqual(view.key, feed.key)

  const fault = new Error('the disk is gone')
  instances.get('data').fault = fault
  await assert.rejects(ask(again, 'append', 'x'), (err) => err === fault)
})

test('with a storage that answers in nextTick, all is over before the event loop turns', async (t) => {
  const feed = hypercore(ram)
  const done = []
  let turned = false
  setImmediate(() => { turned = true })
  await new Promise((resolve) => feed.append(['a', 'b', 'c'], () => {
    done.push('append')
    feed.seek(1, () => done.push('seek'))
    feed.getBatch(0, 3, () => done.push('getBatch'))
    feed.get(2, () => {
      done.push('get')
      process.nextTick(resolve)
    })
  }))
  assert.equal(turned, false)
  assert.deepEqual(done.sort(), ['append', 'get', 'getBatch', 'seek'])

  const other = await clone(t, feed)
  feed.append('d')
  link(t, feed, other, { live: false })
  await event(other, 'sync')
  assert.equal(other.length, 4)
})

test('callbacks: never before the method returned, in order, after their event, with the properties set; a turn of appends is a batch', async (t) => {
  const feed = await open(t)
  const said = []
  feed.on('append', () => said.push(`event ${feed.length}`))
  const list = ['b', 'c']
  const appended = Promise.all([
    new Promise((resolve) => feed.append('a', (err, seq) => resolve(said.push(`a ${err} ${seq} ${feed.length}`)))),
    new Promise((resolve) => feed.append(list, (err, seq) => resolve(said.push(`bc ${err} ${seq} ${feed.length}`)))),
    new Promise((resolve) => feed.append('d', (err, seq) => resolve(said.push(`d ${err} ${seq} ${feed.length}`))))
  ])
  list[0] = 'changed'
  assert.deepEqual(said, [])
  await appended
  assert.deepEqual(said, ['event 1', 'a null 0 1', 'event 4', 'bc null 1 4', 'd null 3 4'])
  assert.equal(String(await ask(feed, 'get', 1)), 'b')
  assert.deepEqual([(await feed.signature(1)).index, (await feed.signature(2)).index], [3, 3])
  feed.on('ready', assert.fail)
  feed.on('close', () => said.push('close event'))
  await ask(feed, 'close')
  assert.equal(said.at(-1), 'close event')
})

test('a throw in a callback is an uncaught exception; an error without listener throws; without a callback failures are silent', (t) => {
  const dir = scratch(t)
  const uncaught = (script, expected) => assert.match(program(dir, `process.on('uncaughtException', (err) => { console.log(err.message); process.exit() }); ${script}`), expected)
  uncaught('hypercore(ram).ready(() => { throw new Error("mine") })', /^mine/)
  uncaught('hypercore(ram).on("append", () => { throw new Error("mine") }).append("x")', /^mine/)
  uncaught('hypercore(ram, { createIfMissing: false })', /^No hypercore is stored here/)
  const silent = ['append("x")', 'get(0).catch(() => {})', 'clear(-1)', 'update()', 'download({ start: -1 })', 'truncate(-1)', 'close()', 'put(-1)', 'audit()', 'flush()']
  const script = `const feed = hypercore(ram, Buffer.alloc(32)); ${silent.map((call) => `feed.${call}`).join(';')}`
  assert.equal(program(dir, `${script}; setTimeout(() => console.log('fine'), 50)`), 'fine\n')
})

test('get: a symbol to cancel by; options are left alone, unknown ones ignored; any object that decodes', async (t) => {
  const feed = await open(t)
  const told = []
  const now = feed.get(5, (err) => told.push(err.message))
  feed.cancel(now)
  const later = feed.get(6, (err) => told.push(err.message))
  await sleep(1)
  feed.cancel(later)
  await sleep(1)
  assert.deepEqual(told, ['Request cancelled', 'Request cancelled'])

  await ask(feed, 'append', 'abc')
  const opts = Object.freeze({ wait: false, whatever: 1, valueEncoding: { decode: (buffer) => `decoded ${buffer}` } })
  assert.equal(await ask(feed, 'get', 0, opts), 'decoded abc')
  assert.deepEqual(await ask(feed, 'getBatch', 0, 1, opts), ['decoded abc'])
})

test('download gives a plain selection for undownload; cancel ends downloads; has and downloaded at once; what append takes', async (t) => {
  const feed = await open(t, null, KEY, { sparse: true })
  const ended = []
  const selection = feed.download({ start: 1, end: 4 }, (err) => ended.push(err.code))
  assert.deepEqual([selection.start, selection.end, Object.getPrototypeOf(selection)], [1, 4, Object.prototype])
  feed.undownload(selection)
  feed.download({ start: 5, end: 6 }, (err) => ended.push(err.code))
  feed.cancel(5, 6)
  await sleep(1)
  assert.deepEqual(ended, ['ECANCELED', 'ECANCELED'])

  const writer = await open(t)
  const bytes = new Uint8Array([0, 1, 2, 3])
  assert.equal(await ask(writer, 'append', ['text', Buffer.from('buffer'), bytes.subarray(1, 3)]), 0)
  assert.equal(await ask(writer, 'append', []), 3)
  assert.equal(await ask(writer, 'append', bytes), 3)
  assert.deepEqual(await ask(writer, 'get', 2), Buffer.from([1, 2]))
  assert.deepEqual([writer.has(2), writer.has(4), writer.has(0, 4), writer.downloaded(), writer.downloaded(1, 3)], [true, false, true, 4, 2])
  assert.equal(await ask(writer, 'has', 3), true)
  assert.equal(await ask(writer, 'downloaded', 0, 2), 2)
})

test('every method gives a promise where it gets no callback', async (t) => {
  const feed = create(t)
  await feed.ready()
  assert.equal(await feed.append(['a', 'b']), 0)
  const results = {
    get: [0],
    getBatch: [0, 2],
    head: [],
    seek: [1],
    update: [2],
    download: [{ start: 0, end: 2 }],
    clear: [0],
    flush: [],
    signature: [],
    rootHashes: [1],
    proof: [1],
    getBlockInfo: [1],
    audit: [],
    truncate: [1],
    finalize: [],
    verify: [1, (await feed.signature()).signature],
    put: [1, null, { nodes: [] }],
    close: [],
    destroyStorage: []
  }
  for (const [method, args] of Object.entries(results)) {
    const result = feed[method](...args)
    assert.equal(typeof result.then, 'function', method)
    await result.catch((err) => assert.equal(typeof err.code, 'string', `${method}: ${err}`))
  }
})

test('opening, opened, closing, closed, active: as nanoresource', async (t) => {
  const feed = hypercore(ram)
  assert.deepEqual([feed.opening, feed.opened], [true, false])
  await ask(feed, 'open')
  assert.deepEqual([feed.opening, feed.opened, feed.actives], [false, true, 0])
  const waiting = ask(feed, 'get', 3)
  assert.equal(feed.active(), true)
  const closing = ask(feed, 'close')
  await sleep(5)
  assert.equal(feed.closed, false)
  feed.inactive()
  await Promise.all([assert.rejects(waiting, failed('Feed is closed')), closing, ask(feed, 'close')])
  assert.deepEqual([feed.closing, feed.closed, feed.active()], [false, true, false])
  await assert.rejects(ask(feed, 'open'), failed('Resource is closed'))
})

test('ifAvailable and timeouts belong to the application', async (t) => {
  const feed = await open(t, null, KEY)
  const told = []
  feed.ifAvailable.wait()
  feed.get(0, { ifAvailable: true }, (err) => told.push(err.message))
  await sleep(5)
  assert.deepEqual(told, [])
  feed.ifAvailable.continue()
  await sleep(5)
  assert.deepEqual(told, ['Block not available from peers'])

  let go = null
  feed.timeouts.get = (cb) => { go = cb }
  feed.get(0, { ifAvailable: true }, (err) => told.push(err.message))
  await sleep(5)
  assert.equal(told.length, 1)
  go()
  await sleep(5)
  assert.equal(told.length, 2)
  feed.timeouts = { update: async () => { throw new Error('not now') } }
  await assert.rejects(ask(feed, 'update', { ifAvailable: true }), { message: 'not now' })
  await new Promise((resolve) => feed.ifAvailable.ready(resolve))
})

test('the caller\'s caches are asked and filled, and never outlive a truncation', async (t) => {
  const [data, tree] = [cache(), cache()]
  const feed = await open(t, null, { cache: { data, tree } })
  await ask(feed, 'append', ['a', 'b', 'c'])
  await ask(feed, 'get', 2)
  assert.deepEqual([...data.map.keys()], [2])
  assert.deepEqual([...tree.map.keys()].sort(), [1, 4])
  data.map.set(2, Buffer.from('from the cache'))
  assert.equal(String(await feed.get(2)), 'from the cache')
  tree.map.set(4, { index: 4, mine: true })
  assert.equal((await feed.getBlockInfo(2)).mine, true)
  await feed.truncate(2)
  await feed.append('d')
  assert.equal(String(await feed.get(2)), 'd')

  const small = await open(t, null, { cache: { data: 5 }, storageCacheSize: 0, valueEncoding: 'utf-8' })
  await ask(small, 'append', ['abc', 'def', 'gh'])
  for (const index of [0, 1, 2, 0, 2]) assert.equal(await small.get(index), ['abc', 'def', 'gh'][index])
  assert.equal(small._storage.dataCache.byteSize <= 5, true)
  for (const cache of [false, {}, { data: false, tree: false }, { tree: 1024 }]) {
    const feed = await open(t, null, { cache })
    await ask(feed, 'append', 'x')
    assert.equal(String(await feed.get(0)), 'x')
  }
})

test('a program with nothing left to do ends; one with an unfinished append does not', (t) => {
  const dir = scratch(t)
  const started = Date.now()
  program(dir, `
    const feed = hypercore(ram)
    feed.get(3, () => console.log('never'))
    const stream = feed.replicate(true, { live: true })
    stream.pipe(hypercore(ram, Buffer.alloc(32)).replicate(false, { live: true })).pipe(stream)
  `)
  assert(Date.now() - started < 8000)
  program(dir, 'hypercore(dir + "/a").append(["x", "y"])')
  assert.equal(program(dir, 'const feed = hypercore(dir + "/a"); feed.ready(() => console.log(feed.length))'), '2\n')
})

test('inspect prints a summary', async (t) => {
  const feed = await open(t)
  const text = inspect(feed)
  for (const name of ['key', 'discoveryKey', 'opened', 'sparse', 'writable', 'length', 'byteLength', 'peers']) assert(text.includes(`  ${name}: `), name)
  assert(text.startsWith('Hypercore('))
})

test('undefined before a callback; no promisifier, no id, no thenable; assigned at run time; onwait before get returns', async (t) => {
  const feed = await open(t)
  await ask(feed, 'append', 'x')
  assert.equal(String(await ask(feed, 'get', 0, undefined)), 'x')
  assert.equal(await ask(feed, 'has', 0, undefined), true)
  assert.equal((await ask(feed, 'getBatch', 0, 1, undefined)).length, 1)
  assert.deepEqual(await ask(feed, 'seek', 0, undefined), [0, 0])
  const update = ask(feed, 'update', undefined)
  await ask(feed, 'append', 'y')
  await update
  assert(!feed[Symbol.for('hypercore.promises')])
  assert.deepEqual([feed.id, feed.then], [undefined, undefined])
  feed.maxRequests = 4
  feed.timeouts = {}
  feed.extensions.exclusive = false
  feed.registerExtension('same')
  feed.registerExtension('same')
  let waited = -1
  const token = feed.get(7, { onwait (index) { waited = index } }, () => {})
  assert.equal(waited, 7)
  feed.cancel(token)
})

test('a call costs little', async (t) => {
  const feed = await open(t)
  await ask(feed, 'append', Array(1000).fill('some block'))
  const started = Date.now()
  for (let i = 0; i < 20000; i++) await new Promise((resolve) => feed.get(i % 1000, resolve))
  for (let i = 0; i < 100000; i++) feed.has(i % 1000)
  assert(Date.now() - started < 3000, `${Date.now() - started} ms`)
})

test('messages and codes', async (t) => {
  const feed = await open(t, null, KEY)
  const [cancelled, timeout] = [ask(feed, 'download', { start: 0, end: 3 }), ask(feed, 'get', 0, { timeout: 5 })]
  feed.cancel(0, 3)
  await assert.rejects(cancelled, (err) => err.code === 'ECANCELED' && err.errno === -11)
  await assert.rejects(timeout, () => true)
  await assert.rejects(ask(feed, 'get', 0, { timeout: 5 }), failed('ETIMEDOUT', 'ETIMEDOUT'))
  await assert.rejects(ask(feed, 'update', { ifAvailable: true }), failed('No update available from peers'))
  await assert.rejects(ask(feed, 'append', 'x'), failed('This feed is not writable. Did you create it?'))
  await assert.rejects(ask(feed, 'get', 0, { wait: false }), failed('Block not downloaded'))
  await assert.rejects(ask(feed, 'head'), failed('feed is empty'))
  await assert.rejects(ask(feed, 'proof', 0), failed('No proof available for this index'))
  await assert.rejects(ask(feed, 'signature', 0), failed('No signature available for this index'))
  assert.throws(() => hypercore(7), failed('Storage should be a function or string'))
  for (const [opts, message] of [[{ createIfMissing: false }, 'No hypercore is stored here'], [{ key: KEY, writable: true }, 'Feed is not writable']]) {
    const other = hypercore(ram, opts)
    assert.equal((await event(other, 'error'))[0].message, message)
  }
  await ask(feed, 'close')
  await assert.rejects(ask(feed, 'get', 0), failed('Feed is closed'))
})

test('private members, thinly', async (t) => {
  const files = {}
  const feed = await open(t, (name) => (files[name] = files[name] || ram()))
  await ask(feed, 'append', ['a', 'b'])
  assert.deepEqual(await ask(feed._storage, 'open', {}), { key: feed.key, secretKey: feed.secretKey })
  assert.equal(feed._storage.data, files.data)
  assert.deepEqual(await ask(feed._storage, 'dataOffset', 0, []), [0, 1])
  assert.equal(feed.tree.digest(2), feed.digest(1))
  assert.deepEqual([feed._storage.dataCache, typeof feed._storage.treeCache], [null, 'object'])
  feed._storage = 'mine'
  assert.equal(feed._storage, 'mine')
})

test('defects of 9.12 that are gone: a jammed queue, has before ready, no peer.publicKey', async (t) => {
  const script = 'process.on("uncaughtException", () => {}); const feed = hypercore(ram); feed.append("a", () => { throw new Error("x") }); setTimeout(() => feed.append("b", (err, seq) => console.log(err, seq)), 5)'
  assert.equal(program(scratch(t), script), 'null 1\n')
  const feed = hypercore(ram)
  assert.deepEqual([feed.has(0), feed.downloaded()], [false, 0])
  await ask(feed, 'ready')
  link(t, feed, await clone(t, feed))
  const [peer] = await event(feed, 'peer-open')
  assert.equal(peer.publicKey.length, 32)
  assert.deepEqual(peer.publicKey, peer.remotePublicKey)
})

// A storage that can only read, write, delete and close.
function minimal (storage, onwrite, onclose) {
  return {
    fault: null,
    read: (offset, size, cb) => storage.read(offset, size, cb),
    write (offset, data, cb) {
      if (this.fault) return cb(this.fault)
      onwrite(offset, data)
      storage.write(offset, data, cb)
    },
    del: (offset, size, cb) => storage.del(offset, size, cb),
    close (cb) {
      onclose()
      setTimeout(cb, 2, null)
    }
  }
}

// A read-only view that makes its bytes up.
function derived (bytes) {
  return {
    read: (offset, size, cb) => process.nextTick(cb, null, bytes.subarray(offset, offset + size)),
    write: (offset, data, cb) => process.nextTick(cb, null),
    del: (offset, size, cb) => process.nextTick(cb, null)
  }
}

function cache () {
  const map = new Map()
  return { map, get: (key) => map.get(key), set (key, value) { map.set(key, value) } }
}

// What a program prints; it must end by itself.
function program (dir, script) {
  const prelude = `
    const hypercore = require(${JSON.stringify(path.join(__dirname, 'helpers', 'hypercore.js'))})
    const ram = require(${JSON.stringify(require.resolve('random-access-memory'))})
    const dir = process.argv[1]
  `
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', prelude + script, dir], { encoding: 'utf8', timeout: 10000 })
  assert.equal(status, 0, stderr)
  return stdout
}
