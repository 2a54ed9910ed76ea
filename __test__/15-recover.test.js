'use strict'
// What a crash or a lost file leaves behind: the log comes back as far as its own signatures prove
// it, or the feed says why not.

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { hypercore, test, scratch, create, open, ask, block, link, until } = require('./helpers')

const COUNT = 300

async function written (t) {
  const dir = scratch(t)
  const feed = await open(t, dir)
  for (let i = 0; i < COUNT; i += 10) await ask(feed, 'append', Array.from({ length: 10 }, (_, j) => block(i + j, 100)))
  const { key, byteLength } = feed
  await ask(feed, 'close')
  return { dir, key, byteLength, file: (name) => path.join(dir, name) }
}

async function hasAll (t, { dir, key, byteLength }) {
  const feed = await open(t, dir)
  assert.deepEqual(feed.key, key)
  assert.deepEqual([feed.length, feed.byteLength, feed.downloaded(), feed.writable], [COUNT, byteLength, COUNT, true])
  for (const i of [0, 1, 150, COUNT - 1]) assert.deepEqual(await ask(feed, 'get', i), block(i, 100))
  assert.equal(await ask(feed, 'append', 'next'), COUNT)
  await ask(feed, 'close')
}

// An open that fails is also an event.
async function refused (t, dir, code) {
  const feed = create(t, dir)
  feed.on('error', () => {})
  await assert.rejects(ask(feed, 'ready'), { code })
}

test('a lost bitfield comes back from tree, data and signatures', async (t) => {
  const core = await written(t)
  fs.rmSync(core.file('bitfield'))
  await hasAll(t, core)
})

test('an empty, a zeroed and an old bitfield come back', async (t) => {
  for (const spoil of [() => Buffer.alloc(0), (now) => Buffer.alloc(now.length), (now, old) => old]) {
    const dir = scratch(t)
    let feed = await open(t, dir)
    await ask(feed, 'append', Array.from({ length: 20 }, (_, i) => block(i, 100)))
    await ask(feed, 'close')
    const old = fs.readFileSync(path.join(dir, 'bitfield'))
    feed = await open(t, dir)
    for (let i = 20; i < COUNT; i += 20) await ask(feed, 'append', Array.from({ length: 20 }, (_, j) => block(i + j, 100)))
    const { key, byteLength } = feed
    await ask(feed, 'close')
    const now = fs.readFileSync(path.join(dir, 'bitfield'))
    fs.writeFileSync(path.join(dir, 'bitfield'), spoil(now, old))
    await hasAll(t, { dir, key, byteLength })
    assert.notDeepEqual(now, old)
  }
})

test('lost signatures are made again by the writer', async (t) => {
  const core = await written(t)
  fs.truncateSync(core.file('signatures'), 32)
  await hasAll(t, core)
})

test('a lost key is found in the secret key', async (t) => {
  const core = await written(t)
  fs.rmSync(core.file('key'))
  await hasAll(t, core)
  assert.deepEqual(fs.readFileSync(core.file('key')), core.key)
})

test('a core that was cut off between its keys is that core', async (t) => {
  const dir = scratch(t)
  const { publicKey, secretKey } = hypercore.keyPair()
  fs.writeFileSync(path.join(dir, 'secret_key'), secretKey)
  const feed = await open(t, dir)
  assert.deepEqual([feed.key, feed.writable, feed.length], [publicKey, true, 0])
  await ask(feed, 'append', 'first')
  assert.deepEqual(fs.readFileSync(path.join(dir, 'key')), publicKey)

  const other = scratch(t)
  fs.writeFileSync(path.join(other, 'secret_key'), secretKey)
  const own = hypercore.keyPair()
  const mine = await open(t, other, own.publicKey, { secretKey: own.secretKey })
  assert.deepEqual(mine.key, own.publicKey)
})

test('without key and secret key nothing is touched', async (t) => {
  const core = await written(t)
  fs.rmSync(core.file('key'))
  fs.rmSync(core.file('secret_key'))
  const before = ['bitfield', 'tree', 'data', 'signatures'].map((name) => fs.readFileSync(core.file(name)))
  await refused(t, core.dir, 'EKEYMISSING')
  assert.deepEqual(['bitfield', 'tree', 'data', 'signatures'].map((name) => fs.readFileSync(core.file(name))), before)
  assert(!fs.existsSync(core.file('key')))
})

test('a writer that lost its tree does not sign a second history, unless it is forced', async (t) => {
  const core = await written(t)
  fs.rmSync(core.file('bitfield'))
  fs.truncateSync(core.file('tree'), 32)
  let feed = await open(t, core.dir)
  await assert.rejects(ask(feed, 'append', 'other'), { code: 'EFORKRISK' })
  await ask(feed, 'close')
  feed = await open(t, core.dir, { force: true })
  assert.equal(await ask(feed, 'append', 'other'), 0)
})

test('a header of another format is refused and left alone', async (t) => {
  for (const name of ['tree', 'signatures', 'bitfield']) {
    const core = await written(t)
    const fd = fs.openSync(core.file(name), 'r+')
    fs.writeSync(fd, Buffer.from([9]), 0, 1, 4)
    fs.closeSync(fd)
    const before = fs.readFileSync(core.file(name))
    await refused(t, core.dir, 'EBADHEADER')
    assert.deepEqual(fs.readFileSync(core.file(name)), before)
  }
})

test('a block that rotted on disk is an error, the others are not', async (t) => {
  const core = await written(t)
  const fd = fs.openSync(core.file('data'), 'r+')
  fs.writeSync(fd, Buffer.from([0xff]), 0, 1, 100 * 7 + 50)
  fs.closeSync(fd)
  const feed = await open(t, core.dir)
  await assert.rejects(ask(feed, 'get', 7), { code: 'EBADBLOCK' })
  assert.deepEqual(await ask(feed, 'get', 8), block(8, 100))
})

const ROTS = {
  'signatures are gone': (file) => fs.truncateSync(file('signatures'), 32),
  'the last signature is another': (file) => spoil(file('signatures'), 32 + 64 * (COUNT - 1), 64),
  'the tree is gone': (file) => fs.truncateSync(file('tree'), 32),
  'a node of the tree is gone': (file) => spoil(file('tree'), 32 + 40 * 256, 40),
  'a run of the tree, with a root in it, is no nodes': (file) => spoil(file('tree'), 32 + 40 * 240 + 7, 4096, 0xff),
  'a run of the tree, with a root in it, is other nodes': (file) => otherNodes(file('tree'), 240, 100),
  'half of the data is gone': (file) => fs.truncateSync(file('data'), 100 * COUNT / 2),
  'a block is another': (file) => spoil(file('data'), 100 * 7 + 50, 1, 0xff)
}

for (const [rot, damage] of Object.entries(ROTS)) {
  test(`a reader heals from an honest peer: ${rot}`, { timeout: 60000 }, async (t) => {
    const core = await written(t)
    const writer = await open(t, core.dir)
    const dir = scratch(t)
    let reader = await open(t, dir, core.key)
    link(t, writer, reader)
    await until(() => reader.downloaded() === COUNT)
    await ask(reader, 'close')

    damage((name) => path.join(dir, name))
    reader = await open(t, dir, core.key)
    const [one, other] = link(t, writer, reader)
    for (let i = 0; i < COUNT; i++) {
      const data = await ask(reader, 'get', i).catch((err) => {
        assert(['EBADBLOCK', 'ENODEMISSING'].includes(err.code), err)
        return ask(reader, 'get', i)
      })
      assert.deepEqual(data, block(i, 100))
    }
    assert.deepEqual([one.destroyed, other.destroyed, reader.length], [false, false, COUNT])
  })
}

test('a block that rots under a reader that is open is an error, and then not here', async (t) => {
  const core = await written(t)
  const writer = await open(t, core.dir)
  const dir = scratch(t)
  const reader = await open(t, dir, core.key, { sparse: true })
  const [one, other] = link(t, writer, reader)
  await ask(reader, 'getBatch', 0, 20)
  one.destroy()
  other.destroy()
  for (const [verb, ...args] of [['get', 7], ['getBatch', 5, 12]]) {
    const index = verb === 'get' ? 7 : 8
    spoil(path.join(dir, 'data'), 100 * index + 50, 1, 0xff)
    await assert.rejects(ask(reader, verb, ...args), { code: 'EBADBLOCK' })
    assert.deepEqual([reader.has(6), reader.has(index), reader.has(9)], [true, false, true])
    await assert.rejects(ask(reader, 'get', index, { wait: false }), { code: 'ENOTDOWNLOADED' })
    link(t, writer, reader)
    assert.deepEqual(await ask(reader, 'get', index), block(index, 100))
  }
})

test('a reader with holes and a rotten tree heals from an honest peer, by the next connection at the latest', { timeout: 60000 }, async (t) => {
  const core = await written(t)
  const writer = await open(t, core.dir)
  const dir = scratch(t)
  let reader = await open(t, dir, core.key, { sparse: true })
  link(t, writer, reader)
  await ask(reader, 'download', { blocks: Array.from({ length: COUNT / 2 }, (_, i) => 2 * i) })
  await ask(reader, 'close')

  otherNodes(path.join(dir, 'tree'), 100, 60)
  spoil(path.join(dir, 'tree'), 32 + 40 * 300, 2000, 0xff)
  reader = await open(t, dir, core.key, { sparse: true })
  link(t, writer, reader)
  reader.on('peer-remove', () => { if (!reader.closing) link(t, writer, reader) })
  for (let i = 0; i < COUNT; i++) {
    const data = await ask(reader, 'get', i).catch(() => ask(reader, 'get', i))
    assert.deepEqual(data, block(i, 100))
  }
})

test('a writer makes rotten roots anew from what lies below them', async (t) => {
  for (const damage of [(file) => spoil(file, 32 + 40 * 255, 40, 0xff), (file) => otherNodes(file, 255, 1)]) {
    const core = await written(t)
    const whole = fs.readFileSync(core.file('tree'))
    damage(core.file('tree'))
    const feed = await open(t, core.dir)
    assert.deepEqual([feed.length, feed.downloaded()], [COUNT, COUNT])
    await ask(feed, 'close')
    assert(fs.readFileSync(core.file('tree')).equals(whole))
    await hasAll(t, core)
  }
})

// Writes records that look like nodes in the place of `count` nodes from number `first` on.
function otherNodes (file, first, count) {
  const fd = fs.openSync(file, 'r+')
  for (let i = first; i < first + count; i++) {
    const hash = crypto.createHash('sha256').update(`node ${i}`).digest()
    fs.writeSync(fd, Buffer.concat([hash, Buffer.from([0, 0, 0, 0, 0, 0, 0, 100])]), 0, 40, 32 + 40 * i)
  }
  fs.closeSync(fd)
}

function spoil (file, offset, length, value = 0) {
  const fd = fs.openSync(file, 'r+')
  fs.writeSync(fd, Buffer.alloc(length, value), 0, length, offset)
  fs.closeSync(fd)
}
