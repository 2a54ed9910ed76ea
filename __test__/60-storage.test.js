'use strict'
// Storages: native memory, and anything in JavaScript that reads and writes.

const assert = require('node:assert/strict')
const path = require('node:path')
const raf = require('random-access-file')
const ram = require('random-access-memory')
const { hypercore, test, defer, scratch, create, open, ask, event, until, sleep, link, fill, block, files } = require('./helpers')

const NAMES = ['key', 'secret_key', 'tree', 'data', 'bitfield', 'signatures']

test('the storage function is asked for the key at once, then for the rest in order', async (t) => {
  const asked = []
  const feed = create(t, (name, options) => { asked.push([name, options]); return ram() })
  assert.deepEqual(asked.map(([name]) => name), ['key'])
  await ask(feed, 'ready')
  assert.deepEqual(asked.map(([name]) => name), NAMES)
  for (const [, options] of asked.slice(1)) {
    assert.deepEqual(options.key, feed.key)
    assert.deepEqual(options.discoveryKey, feed.discoveryKey)
  }
})

test('native memory', async (t) => {
  const memory = hypercore.memory()
  const feed = create(t, memory)
  await ask(feed, 'append', ['a', 'bb'])
  assert.equal(String(await ask(feed, 'get', 1)), 'bb')
  await ask(feed, 'close')
  const again = await open(t, memory)
  assert.deepEqual(again.key, feed.key)
  assert.equal(again.length, 2)
  assert.equal(String(await ask(again, 'get', 1)), 'bb')
  const reader = await open(t, hypercore.memory(), again.key)
  link(t, again, reader)
  await event(reader, 'sync')
  assert.equal(reader.downloaded(), 2)
})

test('random-access-file, and the directory opens as one', async (t) => {
  const dir = scratch(t)
  const feed = create(t, (name) => raf(path.join(dir, name)))
  await fill(feed, 50, 100)
  await ask(feed, 'close')
  assert.deepEqual(files(dir), [...NAMES].sort())
  const again = await open(t, dir)
  assert.deepEqual(again.key, feed.key)
  assert((await ask(again, 'get', 49)).equals(block(49, 100)))
})

test('close fails what is still being read, as it fails all that waits', async (t) => {
  for (const cache of [undefined, { data: 1000 }]) {
    const dir = scratch(t)
    const feed = await open(t, (name) => raf(path.join(dir, name)), { cache })
    await fill(feed, 3, 10)
    const said = []
    const reads = [ask(feed, 'get', 0), ask(feed, 'getBatch', 1, 3)]
    reads.forEach((read) => read.catch((err) => said.push(err.message)))
    await ask(feed, 'close')
    assert.deepEqual(said, ['Feed is closed', 'Feed is closed'])
  }
})

test('what waits for a peer is answered before close, also when the feed is closed as it arrives', async (t) => {
  const writer = await open(t)
  await fill(writer, 4, 10)
  // Where nobody has to be waited for, the blocks are read as soon as the last is here.
  for (const [storage, answer] of [[() => ram(), 'Feed is closed'], [hypercore.memory(), null]]) {
    const reader = await open(t, storage, writer.key, { sparse: true })
    const said = []
    const note = (name) => (err) => said.push(`${name} ${err && err.message}`)
    const closed = new Promise((resolve) => {
      reader.on('download', () => { if (reader.has(0, 4)) reader.close((err) => resolve(said.push(`close ${err}`))) })
    })
    reader.getBatch(0, 4, note('getBatch'))
    reader.update(9, note('update'))
    reader.seek(1000, note('seek'))
    link(t, writer, reader)
    await closed
    assert.deepEqual(said.slice(0, 3).sort(), [`getBatch ${answer}`, 'seek Feed is closed', 'update Feed is closed'])
    assert.equal(said[3], 'close null')
  }
})

test('a seek that is being read when the feed is closed', async (t) => {
  const stores = {}
  const held = []
  let isHeld = false
  const storage = (name) => {
    const store = stores[name] = stores[name] || ram()
    const read = (offset, length, cb) => isHeld && name === 'tree' ? held.push(cb) : store.read(offset, length, cb)
    return { read, write: store.write.bind(store) }
  }
  const writer = await open(t)
  await fill(writer, 500, 10)
  let reader = await open(t, storage, writer.key, { sparse: true })
  const [one, other] = link(t, writer, reader)
  await ask(reader, 'get', 499)
  one.destroy()
  other.destroy()
  await ask(reader, 'close')

  reader = await open(t, storage, writer.key, { sparse: true })
  isHeld = true
  const said = []
  reader.seek(4995, (err) => said.push(err.message))
  await until(() => held.length > 0)
  await ask(reader, 'close')
  assert.deepEqual(said, ['Feed is closed'])
  held.forEach((cb) => cb(new Error('Could not satisfy length')))
  await sleep(5)
  assert.deepEqual([said.length, reader.pending()], [1, []])
})

test('what a callback throws does not become the fault of another feed whose storage was being asked', async (t) => {
  let held = null
  let isHeld = false
  const storage = (onwrite) => (name) => {
    const store = ram()
    return { read: store.read.bind(store), write: (offset, data, cb) => onwrite(name, cb) || store.write(offset, data, cb) }
  }
  const one = await open(t, storage((name, cb) => isHeld && name === 'bitfield' && (held = cb)))
  const other = await open(t, storage(() => { if (held) held(null, held = null) }))
  isHeld = true
  const thrown = new Promise((resolve) => {
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (err) => {
      listeners.forEach((listener) => process.on('uncaughtException', listener))
      resolve(err.message)
    })
  })
  one.append('x', () => { throw new Error('mine') })
  await until(() => held !== null)
  isHeld = false
  assert.equal(await ask(other, 'append', 'y'), 0)
  assert.equal(await thrown, 'mine')
})

test('with a storage that answers in nextTick all is over before the event loop turns', async (t) => {
  const steps = []
  await new Promise((resolve, reject) => {
    setImmediate(() => { steps.push('turn'); resolve() })
    const step = (name, next) => (err, value) => {
      if (err) return reject(err)
      steps.push(name)
      next(value)
    }
    const feed = create(t, () => ram())
    feed.ready(step('ready', () => {
      feed.append(['a', 'b'], step('append', () => {
        feed.get(1, step('get', () => {
          feed.seek(1, step('seek', () => {
            feed.getBatch(0, 2, step('getBatch', () => {
              feed.head(step('head', () => {}))
            }))
          }))
        }))
      }))
    }))
  })
  assert.deepEqual(steps, ['ready', 'append', 'get', 'seek', 'getBatch', 'head', 'turn'])
})

test('a storage may have only read and write, and answer at once, late or in any order', async (t) => {
  for (const pace of ['sync', 'tick', 'late', 'shuffled']) {
    const stores = new Map()
    const storage = (name) => {
      if (!stores.has(name)) stores.set(name, new Slow(pace))
      return stores.get(name).face()
    }
    const feed = create(t, storage)
    await fill(feed, 30, 20)
    await Promise.all([ask(feed, 'append', 'x'), ask(feed, 'append', 'y')])
    for (const i of [0, 17, 29]) assert((await ask(feed, 'get', i)).equals(block(i, 20)), pace)
    await ask(feed, 'close')
    const again = await open(t, storage)
    assert.equal(again.length, 32, pace)
    assert.equal(String(await ask(again, 'get', 31)), 'y')
  }
})

test('an error of the storage comes out as the very same object, and the feed is as before', async (t) => {
  const full = new Error('the disk is full')
  let broken = null
  const feed = await open(t, (name) => {
    const store = ram()
    const write = store.write
    store.write = function (offset, data, cb) {
      if (broken === name) process.nextTick(cb, full)
      else write.call(this, offset, data, cb)
    }
    return store
  })
  await ask(feed, 'append', ['a', 'b'])
  for (const name of ['data', 'tree', 'signatures', 'bitfield']) {
    const { length, byteLength } = feed
    broken = name
    const error = await ask(feed, 'append', ['lost', 'too']).then(() => null, (err) => err)
    assert.equal(error, full, name)
    assert.equal(feed.length, length, name)
    assert.equal(feed.byteLength, byteLength)
    broken = null
    assert.equal(await ask(feed, 'append', `after ${name}`), length)
    assert.equal(String(await ask(feed, 'get', length)), `after ${name}`)
  }
})

test('an error while opening comes out as the very same object', async (t) => {
  const unplugged = Object.assign(new Error('unplugged'), { code: 'EIO' })
  const feed = hypercore((name) => {
    const store = ram()
    if (name === 'bitfield') store.write = (offset, data, cb) => process.nextTick(cb, unplugged)
    return store
  })
  const [error] = await event(feed, 'error')
  assert.equal(error, unplugged)
  await ask(feed, 'close').catch(() => {})
})

test('close waits for the close of every storage', async (t) => {
  const closed = []
  const feed = await open(t, (name) => {
    const store = ram()
    store.close = (cb) => setTimeout(() => { closed.push(name); cb(null) }, 20)
    return store
  })
  await ask(feed, 'append', 'x')
  await ask(feed, 'close')
  assert.deepEqual(closed.sort(), [...NAMES].sort())
})

test('the same instances may be handed to a second feed later', async (t) => {
  const stores = new Map()
  const storage = (name) => {
    if (!stores.has(name)) stores.set(name, Object.assign(ram(), { close: (cb) => cb(null) }))
    return stores.get(name)
  }
  const first = await open(t, storage)
  await ask(first, 'append', ['a', 'b'])
  await ask(first, 'close')
  const second = await open(t, storage)
  assert.deepEqual(second.key, first.key)
  assert.equal(await ask(second, 'append', 'c'), 2)
  assert.equal(String(await ask(second, 'get', 0)), 'a')
})

test('a batch is one write to data', async (t) => {
  const writes = []
  const feed = await open(t, (name) => {
    const store = ram()
    const write = store.write
    if (name === 'data') store.write = function (offset, data, cb) { writes.push([offset, data.length]); write.call(this, offset, data, cb) }
    return store
  })
  await ask(feed, 'append', ['aa', 'bbb', 'c'])
  await ask(feed, 'append', ['dd', 'e'])
  assert.deepEqual(writes, [[0, 6], [6, 3]])
})

test('clear without a del is only forgotten, with one it frees the bytes', async (t) => {
  for (const able of [true, false]) {
    const deleted = []
    const feed = await open(t, (name) => {
      const store = ram()
      if (name === 'data' && !able) store.del = undefined
      if (name === 'data' && able) store.del = (offset, size, cb) => { deleted.push([offset, size]); process.nextTick(cb, null) }
      return store
    })
    await ask(feed, 'append', ['aa', 'bbb', 'c'])
    await ask(feed, 'clear', 1, 2)
    assert.equal(feed.has(1), false)
    assert.equal(String(await ask(feed, 'get', 2)), 'c')
    assert.deepEqual(deleted, able ? [[2, 3]] : [])
  }
})

test('replication between every pair of kinds', async (t) => {
  const kinds = [() => scratch(t), () => hypercore.memory(), () => () => ram()]
  for (const from of kinds) {
    for (const to of kinds) {
      const writer = await open(t, from())
      await fill(writer, 40, 3000)
      const reader = await open(t, to(), writer.key)
      link(t, writer, reader)
      await event(reader, 'sync')
      assert((await ask(reader, 'get', 39)).equals(block(39, 3000)))
    }
  }
})

test('a storage that answers at once may be asked thousands of things in a row', async (t) => {
  const stores = new Map()
  const storage = (name) => {
    if (!stores.has(name)) stores.set(name, new Slow('sync'))
    return stores.get(name).face()
  }
  const feed = await open(t, storage)
  await fill(feed, 3000, 1)
  assert.deepEqual({ ...await ask(feed, 'audit') }, { valid: 3000, invalid: 0 })
  await ask(feed, 'close')
  stores.delete('bitfield')
  const again = await open(t, storage)
  assert.equal(again.length, 3000)
  assert.equal(await ask(again, 'append', 'x'), 3000)
})

test('whatever a storage throws or answers is an error', async (t) => {
  for (const thrown of [undefined, null, 0, '', Object.create(null)]) {
    let isBroken = false
    const feed = await open(t, (name) => {
      const store = ram()
      const { write, read } = store
      store.write = function (...args) {
        if (isBroken) throw thrown
        write.apply(this, args)
      }
      store.read = function (offset, size, cb) {
        if (isBroken) setImmediate(cb, thrown || Object.create(null))
        else read.call(this, offset, size, cb)
      }
      return store
    })
    await ask(feed, 'append', 'a')
    isBroken = true
    for (const call of [ask(feed, 'append', 'b'), ask(feed, 'get', 0)]) await assert.rejects(call, { code: 'EBADSTORAGE' })
    isBroken = false
    assert.deepEqual([await ask(feed, 'append', 'b'), String(await ask(feed, 'get', 1))], [1, 'b'])
  }
  for (const data of [undefined, 5, [], 'text', {}]) {
    let isBroken = false
    const feed = await open(t, () => {
      const store = ram()
      const { read } = store
      store.read = function (offset, size, cb) {
        if (isBroken) process.nextTick(cb, null, data)
        else read.call(this, offset, size, cb)
      }
      return store
    })
    await ask(feed, 'append', 'a')
    isBroken = true
    await assert.rejects(ask(feed, 'get', 0), { code: 'EBADSTORAGE' })
  }
})

test('a view on keys: it keeps its key when it is first asked, and has no secret key', async (t) => {
  const { publicKey } = hypercore.keyPair()
  let asked = 0
  const storage = (name) => {
    if (name === 'key') return { read: (offset, size, cb) => process.nextTick(cb, asked++ ? null : new Error('not yet'), publicKey), write: refuse }
    if (name === 'secret_key') return { read: (offset, size, cb) => process.nextTick(cb, new Error('No secret key.')), write: refuse }
    return ram()
  }
  const feed = await open(t, storage, publicKey)
  assert.deepEqual([feed.key, feed.writable, asked], [publicKey, false, 2])
})

test('a remote file that ends, in words of its own, is read as far as it goes; a writer does not believe them', async (t) => {
  const files = new Map()
  const local = (name) => {
    if (!files.has(name)) files.set(name, ram())
    return files.get(name)
  }
  const writer = await open(t, local)
  await fill(writer, 40, 20)
  const remote = (hides) => (name) => ({
    read (offset, size, cb) {
      if (name === hides) return process.nextTick(cb, new Error('404'))
      files.get(name).read(offset, size, (err, data) => cb(err && new Error('416'), data))
    },
    write: refuse
  })
  const reader = await open(t, remote('secret_key'))
  assert.deepEqual([reader.length, reader.writable], [40, false])
  assert((await ask(reader, 'get', 39)).equals(block(39, 20)))

  await assert.rejects(ask(create(t, remote('none')).on('error', () => {}), 'ready'), { message: '416' })
})

function refuse (offset, data, cb) {
  process.nextTick(cb, new Error('read only'))
}

test('a storage that never answers leaves the feed closing, not crashing', async (t) => {
  const silent = { read () {}, write () {} }
  const feed = hypercore(() => silent)
  let opened = false
  feed.ready(() => { opened = true })
  feed.get(0, () => {})
  await sleep(30)
  assert.equal(opened, false)
  defer(t, () => feed.close(() => {}))
})

// Bytes behind `read` and `write` alone, answered at the given pace.
class Slow {
  constructor (pace) {
    this.pace = pace
    this.bytes = Buffer.alloc(0)
  }

  face () {
    return {
      read: (offset, size, cb) => this.answer(cb, () => {
        if (offset + size > this.bytes.length) throw new Error('Could not satisfy length')
        return Buffer.from(this.bytes.subarray(offset, offset + size))
      }),
      write: (offset, data, cb) => {
        const copy = Buffer.from(data)
        this.answer(cb || (() => {}), () => {
          const end = Math.max(this.bytes.length, offset + copy.length)
          this.bytes = Buffer.concat([this.bytes, Buffer.alloc(end - this.bytes.length)])
          copy.copy(this.bytes, offset)
        })
      }
    }
  }

  answer (cb, work) {
    const run = () => {
      let value
      try {
        value = work()
      } catch (err) {
        return cb(err)
      }
      cb(null, value)
    }
    if (this.pace === 'sync') run()
    else if (this.pace === 'tick') process.nextTick(run)
    else setTimeout(run, this.pace === 'late' ? 2 : Math.random() * 4)
  }
}
