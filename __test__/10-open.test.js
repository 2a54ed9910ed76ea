'use strict'
// Opening: keys, options, reopening, and everything that must fail without leaving a trace.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const util = require('node:util')
const ram = require('random-access-memory')
const { hypercore, test, defer, scratch, create, open, ask, event, files, hashDirectory, signatures, failed } = require('./helpers')

const KEY = Buffer.alloc(32, 7)
const NAMES = ['bitfield', 'data', 'key', 'secret_key', 'signatures', 'tree']

test('a feed is made with and without new', async (t) => {
  const one = create(t)
  const Feed = hypercore
  const two = new Feed(() => ram())
  defer(t, () => ask(two, 'close'))
  for (const feed of [one, two]) {
    assert(feed instanceof hypercore)
    assert(feed instanceof EventEmitter)
  }
})

test('before it is open a feed knows its options and nothing else', (t) => {
  const feed = create(t)
  assert.equal(feed.length, 0)
  assert.equal(feed.byteLength, 0)
  assert.equal(feed.key, null)
  assert.equal(feed.discoveryKey, null)
  assert.equal(feed.secretKey, null)
  assert.equal(feed.writable, false)
  assert.equal(feed.readable, true)
  assert.equal(feed.opened, false)
  assert.equal(feed.closed, false)
  assert.equal(feed.live, true)
  assert.equal(feed.sparse, false)
  assert.equal(feed.maxRequests, 16)
  assert.deepEqual(feed.peers, [])
  assert.equal(feed.remoteLength, 0)
  assert.equal(create(t, null, { sparse: true, live: false }).sparse, true)
})

test('a key may be a Buffer, hex, or an option, and is there at once', (t) => {
  for (const args of [[KEY], [KEY.toString('hex')], [null, { key: KEY }], [{ key: KEY }]]) {
    const feed = create(t, null, ...args)
    assert.deepEqual(feed.key, KEY)
    assert.deepEqual(feed.discoveryKey, hypercore.discoveryKey(KEY))
  }
})

test('ready: a key pair is made, properties are set before the event and the callback', async (t) => {
  const feed = create(t)
  const order = []
  feed.on('ready', () => order.push(`event ${feed.key.length} ${feed.secretKey.length} ${feed.writable}`))
  await new Promise((resolve) => feed.ready((err) => {
    order.push(`callback ${err || null} ${feed.opened}`)
    resolve()
  }))
  assert.deepEqual(order, ['event 32 64 true', 'callback null true'])
  assert.deepEqual(feed.secretKey.subarray(32), feed.key)
  assert.equal(feed.discoveryKey.length, 32)
  await ask(feed, 'ready')
  await ask(feed, 'open')
})

test('the discovery key is a hash that anybody with the key can make', () => {
  assert.equal(hypercore.discoveryKey(KEY).toString('hex'), '756b62ece5e350cafb254c479876815bfa735d12e8a866d09faf87bdec6305d7')
})

test('a core is on disk in six files, and opens again with all it had', async (t) => {
  const dir = path.join(scratch(t), 'deep', 'core')
  const first = await open(t, dir)
  await ask(first, 'append', ['a', 'bc', ''])
  await ask(first, 'close')
  assert.deepEqual(files(dir), NAMES)
  assert.equal(fs.readFileSync(path.join(dir, 'data'), 'latin1'), 'abc')

  const again = await open(t, dir)
  assert.deepEqual(again.key, first.key)
  assert.deepEqual(again.secretKey, first.secretKey)
  assert.equal(again.length, 3)
  assert.equal(again.byteLength, 3)
  assert.equal(again.writable, true)
  assert.equal(await ask(again, 'append', 'd'), 3)
  assert.deepEqual(await ask(again, 'get', 1), Buffer.from('bc'))
})

test('opening and closing an unchanged core changes nothing on disk', async (t) => {
  const dir = scratch(t)
  const first = await open(t, dir)
  await ask(first, 'append', ['a', 'b'])
  await ask(first, 'close')
  const before = hashDirectory(dir)
  const again = await open(t, dir)
  await ask(again, 'get', 0)
  await ask(again, 'close')
  assert.deepEqual(hashDirectory(dir), before)
})

test('valueEncoding: json, utf-8, binary, any object with encode and decode', async (t) => {
  const shout = { encode: (s) => Buffer.from(s.toUpperCase()), decode: (buffer) => buffer.toString() + '!' }
  for (const [valueEncoding, value, stored, read] of [
    ['json', { a: [1] }, '{"a":[1]}\n', { a: [1] }],
    ['utf-8', 'é', 'é', 'é'],
    ['binary', 'raw', 'raw', Buffer.from('raw')],
    [undefined, Buffer.from('raw'), 'raw', Buffer.from('raw')],
    [shout, 'hey', 'HEY', 'HEY!']
  ]) {
    const feed = create(t, null, { valueEncoding })
    await ask(feed, 'append', value)
    assert.deepEqual(await ask(feed, 'get', 0), read)
    assert.deepEqual(await ask(feed, 'get', 0, { valueEncoding: 'utf-8' }), stored)
  }
})

test('secretKey: a key pair of the caller is used and stored', async (t) => {
  const other = await open(t)
  for (const secretKey of [other.secretKey, other.secretKey.toString('hex')]) {
    const dir = scratch(t)
    const feed = await open(t, dir, other.key, { secretKey })
    assert.equal(feed.writable, true)
    await ask(feed, 'append', 'x')
    await ask(feed, 'close')
    assert.deepEqual(fs.readFileSync(path.join(dir, 'secret_key')), other.secretKey)
    assert.deepEqual(fs.readFileSync(path.join(dir, 'key')), other.key)
  }
})

test('storeSecretKey: false keeps the secret key off the disk', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir, { storeSecretKey: false })
  await ask(feed, 'append', 'x')
  await ask(feed, 'close')
  const stored = path.join(dir, 'secret_key')
  assert(!fs.existsSync(stored) || fs.statSync(stored).size === 0)
  const reader = await open(t, dir)
  assert.equal(reader.writable, false)
  assert.equal(reader.secretKey, null)
  assert.deepEqual(await ask(reader, 'get', 0), Buffer.from('x'))
  await ask(reader, 'close')
  const writer = await open(t, dir, { secretKey: feed.secretKey, storeSecretKey: false })
  assert.equal(await ask(writer, 'append', 'y'), 1)
})

test('overwrite: a new core with a new key replaces the old one', async (t) => {
  const dir = scratch(t)
  const old = await open(t, dir)
  await ask(old, 'append', ['a', 'b', 'c'])
  await ask(old, 'close')
  const fresh = await open(t, dir, { overwrite: true })
  assert.notDeepEqual(fresh.key, old.key)
  assert.equal(fresh.length, 0)
  await ask(fresh, 'append', 'z')
  await ask(fresh, 'close')
  const again = await open(t, dir)
  assert.deepEqual(again.key, fresh.key)
  assert.equal(again.length, 1)
  assert.deepEqual(await ask(again, 'get', 0), Buffer.from('z'))
})

test('live: false leaves out signatures', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, dir, { live: false })
  assert.equal(feed.live, false)
  await ask(feed, 'append', ['a', 'b'])
  assert.deepEqual(await ask(feed, 'get', 1), Buffer.from('b'))
  assert.deepEqual(signatures(dir), [])
})

test('createIfMissing: false finds nothing and makes nothing', async (t) => {
  const dir = path.join(scratch(t), 'missing')
  const error = await failedOpen(dir, { createIfMissing: false })
  assert(failed('No hypercore is stored here')(error), error)
  assert.equal(files(dir), null)
})

test('createIfMissing: false opens what is there', async (t) => {
  const dir = scratch(t)
  const first = await open(t, dir)
  await ask(first, 'append', 'x')
  await ask(first, 'close')
  const again = await open(t, dir, { createIfMissing: false })
  assert.equal(again.length, 1)
})

test('a wrong key is refused, changes nothing and holds no lock', async (t) => {
  const dir = scratch(t)
  const first = await open(t, dir)
  await ask(first, 'append', ['a', 'b'])
  await ask(first, 'close')
  const before = hashDirectory(dir)
  const error = await failedOpen(dir, KEY)
  assert(failed('Another hypercore is stored here')(error), error)
  assert.deepEqual(hashDirectory(dir), before)
  const again = await open(t, dir, first.key)
  assert.deepEqual(await ask(again, 'get', 1), Buffer.from('b'))
})

test('a failed open without callback is an error event', async (t) => {
  const dir = scratch(t)
  await ask(await open(t, dir), 'close')
  const feed = hypercore(dir, KEY)
  const [error] = await event(feed, 'error')
  assert.equal(error.message, 'Another hypercore is stored here')
  await assert.rejects(ask(feed, 'append', 'x'))
  await ask(feed, 'close')
})

test('a directory in use is locked for a second feed of this process', async (t) => {
  const dir = scratch(t)
  const first = await open(t, dir)
  await ask(first, 'append', 'a')
  const before = hashDirectory(dir)
  const error = await failedOpen(dir)
  assert.equal(error.code, 'ELOCKED')
  assert.equal(error.message, 'ELOCKED: File is locked')
  assert.deepEqual(hashDirectory(dir), before)
  assert.equal(await ask(first, 'append', 'b'), 1)
  await ask(first, 'close')
  const second = await open(t, dir)
  assert.equal(second.length, 2)
})

test('a directory in use is locked for other processes, and free when its process ends', async (t) => {
  const dir = scratch(t)
  const holder = spawn(process.execPath, [path.join(__dirname, 'helpers', 'hold.js'), dir], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = event(holder, 'exit')
  defer(t, () => { holder.kill(); return gone })
  await event(holder.stdout, 'data')
  const error = await failedOpen(dir)
  assert.equal(error.code, 'ELOCKED')
  holder.kill('SIGKILL')
  await gone
  const feed = await open(t, dir)
  assert.equal(feed.length, 1)
})

test('a directory that cannot be made is an error with the code of the system', async (t) => {
  const file = path.join(scratch(t), 'file')
  fs.writeFileSync(file, 'in the way')
  const error = await failedOpen(path.join(file, 'core'))
  assert.equal(error.code, 'ENOTDIR')
  assert.equal(fs.readFileSync(file, 'latin1'), 'in the way')
})

test('a directory without permission is an error with the code of the system', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async (t) => {
  const dir = path.join(scratch(t), 'closed')
  fs.mkdirSync(dir, { mode: 0o500 })
  const error = await failedOpen(dir)
  assert.equal(error.code, 'EACCES')
  assert.deepEqual(files(dir), [])
})

test('a storage that is neither function nor string throws at once', () => {
  for (const storage of [undefined, null, 7, {}]) {
    assert.throws(() => hypercore(storage), failed('Storage should be a function or string'))
  }
})

test('inspect prints a summary', async (t) => {
  const feed = await open(t)
  await ask(feed, 'append', 'abc')
  const text = util.inspect(feed)
  for (const line of ['Hypercore(', 'key: ', 'discoveryKey: ', 'opened: true', 'sparse: false', 'writable: true', 'length: 1', 'byteLength: 3', 'peers: 0']) {
    assert(text.includes(line), text)
  }
})

test('with promises: ready, open, close', async (t) => {
  const feed = create(t)
  await feed.ready()
  await feed.open()
  assert.equal(feed.opened, true)
  await feed.close()
  assert.equal(feed.closed, true)
  assert.equal(feed.then, undefined)
  const missing = hypercore(path.join(scratch(t), 'missing'), { createIfMissing: false })
  missing.on('error', () => {})
  await assert.rejects(missing.ready(), failed('No hypercore is stored here'))
})

// The error of an open that must fail; the feed is closed again.
async function failedOpen (...args) {
  const feed = hypercore(...args)
  feed.on('error', () => {})
  const error = await ask(feed, 'ready').then(() => null, (err) => err)
  await ask(feed, 'close')
  assert(error instanceof Error, 'open did not fail')
  return error
}
