'use strict'
// What every chapter needs: a test with a time limit, things that are cleaned up after it,
// callbacks as promises.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const nodeTest = require('node:test')
const ram = require('random-access-memory')
const hypercore = require('./hypercore')

module.exports = { hypercore, test, defer, scratch, create, open, clone, ask, event, until, sleep, link, size, block, fill, files, hashDirectory, signatures, failed }

const cleanups = new WeakMap()

// While it runs the process stays alive, so that a test that waits in vain fails alone.
function test (name, options, fn) {
  if (typeof options === 'function') [options, fn] = [{}, options]
  nodeTest(name, { timeout: 20000, ...options }, async (t) => {
    const alive = setInterval(() => {}, 1000)
    t.signal.addEventListener('abort', () => clearInterval(alive))
    try {
      await fn(t)
    } finally {
      clearInterval(alive)
    }
  })
}

// Runs after the test, last one first.
function defer (t, fn) {
  if (!cleanups.has(t)) {
    cleanups.set(t, [])
    t.after(async () => {
      for (const cleanup of cleanups.get(t).reverse()) await cleanup()
    })
  }
  cleanups.get(t).push(fn)
}

// A new folder, gone after the test.
function scratch (t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hypercore-test-'))
  defer(t, () => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}

// A feed that is closed after the test. Without a storage: in memory.
function create (t, storage, ...rest) {
  const feed = hypercore(storage || (() => ram()), ...rest)
  defer(t, () => ask(feed, 'close').catch(() => {}))
  return feed
}

async function open (t, ...args) {
  const feed = create(t, ...args)
  await ask(feed, 'ready')
  return feed
}

// A read-only clone of an open feed.
function clone (t, feed, options, storage) {
  return open(t, storage, feed.key, options)
}

// Calls a method the way v9 is called, with a last callback; several results come as an array.
function ask (object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (err, ...values) => {
      if (err) reject(err)
      else resolve(values.length > 1 ? values : values[0])
    })
  })
}

function event (emitter, name) {
  return new Promise((resolve) => emitter.once(name, (...args) => resolve(args)))
}

// `check` may be asynchronous.
async function until (check) {
  while (!await check()) await sleep(5)
}

function sleep (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

// Two feeds, piped to each other in memory. `through` are streams put in the way from a to b.
function link (t, a, b, options, ...through) {
  const one = a.replicate(true, { live: true, ...options })
  const other = b.replicate(false, { live: true, ...options })
  for (const stream of [one, other]) stream.on('error', () => {})
  ;[...through, other, one].reduce((from, to) => from.pipe(to), one)
  defer(t, () => { one.destroy(); other.destroy() })
  return [one, other]
}

// 0 bytes to 1 MiB, small ones far more often; both ends occur.
function size (index) {
  if (index % 50 === 0) return 0
  if (index % 667 === 1) return 1 << 20
  const dice = crypto.createHash('sha256').update(`size ${index}`).digest().readUInt32BE() / 2 ** 32
  return Math.floor(2 ** (20 * dice ** 3))
}

function block (index, length = size(index)) {
  return Buffer.alloc(length, `block ${index}, `)
}

function fill (feed, count, length) {
  return ask(feed, 'append', Array.from({ length: count }, (_, i) => block(i, length)))
}

function files (dir) {
  return fs.existsSync(dir) ? fs.readdirSync(dir).sort() : null
}

// Name, size and content of everything inside; null when there is no such directory.
function hashDirectory (dir) {
  const names = files(dir)
  return names && Object.fromEntries(names.map((name) => {
    const content = fs.readFileSync(path.join(dir, name))
    return [name, `${content.length} ${crypto.createHash('sha256').update(content).digest('hex')}`]
  }))
}

// Indices of the blocks whose signature is stored.
function signatures (dir) {
  const records = fs.readFileSync(path.join(dir, 'signatures')).subarray(32)
  const found = []
  for (let i = 0; i < records.length / 64; i++) {
    if (records.subarray(64 * i, 64 * i + 64).some((byte) => byte !== 0)) found.push(i)
  }
  return found
}

// A check for assert.rejects and assert.throws: this message, and some stable code.
function failed (message, code) {
  return (err) => {
    const text = message instanceof RegExp ? message.test(err.message) : err.message === message
    if (!(err instanceof Error) || !text) return false
    return code ? err.code === code : typeof err.code === 'string'
  }
}
