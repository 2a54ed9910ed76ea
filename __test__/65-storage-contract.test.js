'use strict'
// JavaScript storages of every kind do the same; and whichever of their operations fails, the
// caller is told and nothing is lost.

const assert = require('node:assert/strict')
const path = require('node:path')
const raf = require('random-access-file')
const ram = require('random-access-memory')
const { hypercore, test, scratch, create, open, clone, ask, link, until, block } = require('./helpers')

// Each gives a storage function that keeps its bytes from call to call.
const KINDS = {
  'random-access-memory': () => kept(() => memory()),
  'random-access-file': (t) => {
    const dir = scratch(t)
    return (name) => raf(path.join(dir, name))
  },
  'without del, stat and close': () => kept(() => bare(memory(), ['read', 'write'])),
  'without stat': () => kept(() => bare(memory(), ['read', 'write', 'del', 'close'])),
  'answers at once': () => kept(() => paced(memory(), (answer) => answer())),
  'answers late': () => kept(() => paced(memory(), (answer) => setTimeout(answer, 1))),
  'answers out of order': () => kept(() => paced(memory(), (answer) => setTimeout(answer, Math.random() * 3))),
  'answers twice': () => kept(() => paced(memory(), (answer) => { process.nextTick(answer); process.nextTick(answer) })),
  'gives plain bytes': () => kept(() => plain(memory()))
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`the contract: ${kind}`, { timeout: 60000 }, async (t) => {
    const storage = make(t)
    const twin = await work(t, hypercore.memory())
    assert.deepEqual(await work(t, storage), twin)
    const again = await open(t, storage)
    assert.deepEqual(await seen(again), twin.at(-1))
    const reader = await clone(t, again, {}, make(t))
    link(t, again, reader)
    await until(() => reader.downloaded() === again.downloaded())
    assert((await ask(reader, 'get', 40)).equals(block(40)))
    await ask(again, 'truncate', 30)
    assert.equal(await ask(again, 'append', 'anew'), 30)
    assert.equal(String(await ask(again, 'get', 30)), 'anew')
  })
}

// What each step of a life gives, with blocks of 0 bytes to 1 MiB among them.
async function work (t, storage) {
  const feed = await open(t, storage)
  const steps = []
  for (let i = 0; i < 60; i += 20) steps.push(await ask(feed, 'append', Array.from({ length: 20 }, (_, j) => block(i + j))))
  steps.push(...await Promise.all(['x', 'y', 'z'].map((value) => ask(feed, 'append', value))))
  steps.push((await ask(feed, 'getBatch', 3, 9)).map((data) => data.length))
  await ask(feed, 'clear', 10, 20)
  steps.push(await ask(feed, 'seek', 100), await ask(feed, 'rootHashes', 33))
  steps.push(await seen(feed))
  await ask(feed, 'close')
  return steps.map((step) => step && step.map ? step.map((one) => one.size ?? one) : step)
}

async function seen (feed) {
  const lengths = []
  for (let i = 0; i < feed.length; i++) lengths.push(feed.has(i) ? (await ask(feed, 'get', i)).length : -1)
  return { length: feed.length, byteLength: feed.byteLength, downloaded: feed.downloaded(), lengths }
}

for (const lasting of [false, true]) {
  test(`operation n of a storage fails ${lasting ? 'and all after it' : 'once'}, for every n`, { timeout: 120000 }, async (t) => {
    let n = 0
    for (let failed = true; failed; n++) failed = await lifeWithFault(t, n, lasting)
    assert(n > 40, `${n} operations`)
  })
}

// Lives a life in which operation `n` fails, then one without a fault on the same bytes. False if
// nothing failed.
async function lifeWithFault (t, n, lasting) {
  const fault = { n, lasting, count: 0, active: true, error: new Error(`operation ${n} failed`), happened: false }
  const storage = kept(() => failing(memory(), fault))
  const known = []
  const feed = create(t, storage, { valueEncoding: 'utf-8' })
  feed.on('error', () => {})
  const steps = [
    () => ask(feed, 'ready'),
    () => append(feed, known, ['a', 'b', 'c']),
    () => append(feed, known, ['d']),
    async () => { for (let i = 0; i < known.length; i++) assert.equal(await ask(feed, 'get', i), known[i]) },
    async () => assert.deepEqual(await ask(feed, 'seek', 2), [2, 0]),
    async () => assert.deepEqual(await ask(feed, 'getBatch', 0, 2), ['a', 'b']),
    () => append(feed, known, ['e', 'f'])
  ]
  for (const step of steps) if (!await attempt(step, fault, feed)) break
  fault.active = false
  await ask(feed, 'close').catch((err) => assert.equal(err, fault.error))

  const healed = await open(t, storage, { valueEncoding: 'utf-8' })
  assert(healed.length >= known.length, `n ${n}`)
  for (let i = 0; i < known.length; i++) assert.equal(await ask(healed, 'get', i), known[i], `n ${n}`)
  const seq = await ask(healed, 'append', 'after')
  assert.equal(await ask(healed, 'get', seq), 'after')
  assert.deepEqual({ ...await ask(healed, 'audit') }, { valid: healed.length, invalid: 0 })
  await ask(healed, 'close')
  return fault.happened
}

async function append (feed, known, values) {
  const { length, byteLength } = feed
  try {
    assert.equal(await ask(feed, 'append', values), known.length)
  } catch (err) {
    assert.deepEqual([feed.length, feed.byteLength], [length, byteLength])
    throw err
  }
  known.push(...values)
}

// A step fails with the storage's own error, and does what it should when it is tried again. False
// when the life is over.
async function attempt (step, fault, feed) {
  try {
    await step()
    return true
  } catch (err) {
    if (err !== fault.error) throw err
  }
  if (fault.lasting || !feed.opened) return false
  await step()
  return true
}

// ## Storages

function kept (make) {
  const stores = new Map()
  return (name) => {
    if (!stores.has(name)) stores.set(name, make())
    return stores.get(name)
  }
}

// It keeps its bytes when it is closed.
function memory () {
  const store = ram()
  store.close = (cb) => process.nextTick(cb, null)
  return store
}

function bare (store, methods) {
  return Object.fromEntries(methods.map((name) => [name, store[name].bind(store)]))
}

// Answers when `pace` says so.
function paced (store, pace) {
  const face = { statable: true }
  for (const name of ['read', 'write', 'del', 'stat', 'close']) {
    face[name] = (...args) => {
      const cb = args.pop()
      store[name](...args, (err, value) => pace(() => cb(err, value)))
    }
  }
  return face
}

function plain (store) {
  const face = paced(store, (answer) => answer())
  face.read = (offset, size, cb) => store.read(offset, size, (err, data) => cb(err, data && new Uint8Array(data)))
  return face
}

// Operation number `n`, counted over all files, fails.
function failing (store, fault) {
  for (const name of ['read', 'write', 'del', 'stat']) {
    const plain = store[name]
    store[name] = function (...args) {
      const fails = fault.active && (fault.lasting ? fault.count >= fault.n : fault.count === fault.n)
      fault.count++
      if (!fails) return plain.apply(this, args)
      fault.happened = true
      process.nextTick(args.at(-1), fault.error)
    }
  }
  return store
}
