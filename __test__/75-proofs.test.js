'use strict'
// What ties blocks to the key: proofs, signatures, hooks that decide about them, audit, truncate,
// static feeds. And what waits: pending.

const assert = require('node:assert/strict')
const { inspect } = require('node:util')
const ram = require('random-access-memory')
const stock = require('hypercore-9')
const { hypercore, test, defer, open, clone, ask, event, until, link, sleep } = require('./helpers')

const KEY = Buffer.alloc(32, 3)

test('leaves, roots and signatures equal stock\'s', async (t) => {
  const { publicKey: key, secretKey } = hypercore.keyPair(Buffer.alloc(32, 5))
  const [feed, other] = [await open(t, null, key, { secretKey }), stock(ram, key, { secretKey })]
  for (const batch of [['a', 'bc'], ['d'], ['e', 'f', 'g']]) {
    await ask(feed, 'append', batch)
    await ask(other, 'append', batch)
  }
  for (let i = 0; i < 6; i++) {
    assert.deepEqual(await feed.signature(i), await ask(other, 'signature', i))
    assert.deepEqual(await feed.rootHashes(i), (await ask(other, 'rootHashes', i))[0].map(plain))
    assert.deepEqual(await feed.getBlockInfo(i), plain(await ask(other, 'getBlockInfo', i)))
    assert.equal(feed.digest(i), other.digest(i))
    for (const opts of [{}, { hash: true }, { digest: 1 }, { digest: 4 }]) {
      const theirs = await ask(other, 'proof', i, opts)
      assert.deepEqual(await feed.proof(i, opts), { nodes: theirs.nodes.map(plain), signature: theirs.signature })
    }
  }
  const { index, signature } = await feed.signature()
  assert.equal(await feed.verify(index, signature), true)
  await assert.rejects(feed.verify(0, signature), { message: 'Signature verification failed', code: 'EBADSIGNATURE' })
  await ask(other, 'close')
})

test('blocks are carried by hand: proof, put, digest; a proof is left alone', async (t) => {
  const feed = await filled(t, 7)
  const reader = await clone(t, feed)
  for (const index of [6, 0, 3]) {
    const proof = Object.freeze(await feed.proof(index, { digest: reader.digest(index) }))
    Object.freeze(proof.nodes)
    await reader.put(index, `block ${index}`, proof)
    assert.equal(String(await reader.get(index, { wait: false })), `block ${index}`)
  }
  assert.deepEqual([reader.length, reader.downloaded()], [7, 3])
  await reader.put(2, null, await feed.proof(2, { hash: true, digest: reader.digest(2) }))
  assert.equal((await reader.getBlockInfo(2)).size, 7)
  assert.equal(reader.has(2), false)
  await assert.rejects(reader.put(1, 'forged!', await feed.proof(1)), (err) => typeof err.code === 'string')
  assert.equal(reader.has(1), false)
})

test('audit forgets what is not what was signed', async (t) => {
  const files = {}
  const feed = await open(t, (name) => (files[name] = files[name] || ram()))
  await ask(feed, 'append', ['one', 'two', 'three'])
  await ask(files.data, 'write', 4, Buffer.from('W'))
  const report = await feed.audit()
  assert.deepEqual(report, { valid: 2, invalid: 1 })
  assert.deepEqual(report.corrupt, [1])
  assert.equal(feed.has(1), false)
  assert.deepEqual(await ask(feed, 'audit'), { valid: 2, invalid: 0 })
})

test('truncate: shorter, and what is appended then is signed anew', async (t) => {
  const files = {}
  const storage = (name) => (files[name] = files[name] || ram())
  const feed = await open(t, storage)
  await ask(feed, 'append', ['a', 'bb', 'ccc'])
  await feed.truncate(3)
  assert.equal(feed.length, 3)
  await ask(feed, 'truncate', 1)
  assert.deepEqual([feed.length, feed.byteLength, feed.has(1)], [1, 1, false])
  assert.equal(await feed.append('dddd'), 1)
  const again = await open(t, storage)
  assert.deepEqual([again.length, again.byteLength, String(await again.get(1))], [2, 5, 'dddd'])
  assert.deepEqual(await again.audit(), { valid: 2, invalid: 0 })
})

test('a static feed has its key from finalize, replicates with stock, and has no signatures', async (t) => {
  for (const Reader of [hypercore, stock]) {
    const feed = await open(t, null, { live: false })
    assert.equal(feed.key, null)
    assert.equal(feed.replicate(true).destroyed, true)
    await ask(feed, 'append', ['a', 'b', 'c'])
    await feed.finalize()
    assert.equal(feed.key.length, 32)
    assert.deepEqual(feed.discoveryKey, hypercore.discoveryKey(feed.key))
    await assert.rejects(feed.signature(), { code: 'ENOSIGNATURE' })
    const reader = new Reader(ram, feed.key)
    defer(t, () => ask(reader, 'close'))
    link(t, feed, reader)
    assert.equal(String(await ask(reader, 'get', 2)), 'c')
  }
})

test('onwrite: before appends and before what peers sent; its error fails that operation alone', async (t) => {
  const calls = []
  const feed = await open(t, null, {
    valueEncoding: 'json',
    async onwrite (index, value, peer) {
      calls.push([index, value, peer])
      await sleep(1)
      if (value === 'bad') throw new Error('refused')
    }
  })
  const results = await Promise.allSettled([feed.append(['a', 'b']), feed.append('c'), feed.append(['d', 'bad']), feed.append('e')])
  assert.deepEqual(results.map(({ value, reason }) => value ?? reason.message), [0, 2, 'refused', 3])
  assert.deepEqual(calls, [[0, 'a', null], [1, 'b', null], [2, 'c', null], [3, 'd', null], [4, 'bad', null], [3, 'e', null]])
  assert.equal(feed.length, 4)

  const fault = new Error('not this one')
  const reader = await clone(t, feed, { onwrite: (index, value, peer, cb) => setImmediate(cb, index === 1 ? fault : null) })
  const [, other] = link(t, feed, reader)
  assert.equal((await event(other, 'error'))[0], fault)
  assert.equal(reader.has(1), false)
})

test('crypto: somebody else signs and verifies', async (t) => {
  const signer = hypercore.keyPair()
  const plain = await open(t, null, signer.publicKey, { secretKey: signer.secretKey })
  const asked = []
  const crypto = {
    sign (message, secretKey, cb) {
      asked.push([message.length, secretKey.equals(signer.secretKey)])
      setImmediate(cb, null, Buffer.alloc(64, asked.length))
    },
    async verify (message, signature, key) {
      return message.length === 40 && key.equals(signer.publicKey) && signature[0] > 0
    }
  }
  const feed = await open(t, null, signer.publicKey, { secretKey: signer.secretKey, crypto })
  await feed.append(['a', 'b'])
  await feed.append('c')
  assert.deepEqual(asked, [[40, true], [40, true]])
  assert.deepEqual((await feed.signature(1)).signature, Buffer.alloc(64, 1))
  assert.equal(await feed.verify(0, Buffer.alloc(64, 9)), true)
  await assert.rejects(feed.verify(0, Buffer.alloc(64)), { code: 'EBADSIGNATURE' })

  const reader = await clone(t, feed, { crypto })
  link(t, feed, reader)
  await event(reader, 'sync')
  await ask(plain, 'append', 'a')
  await assert.rejects(plain.verify(0, Buffer.alloc(64, 9)), { code: 'EBADSIGNATURE' })
})

test('hooks that throw, reject, answer nonsense or twice', async (t) => {
  const mine = new Error('mine')
  const kinds = {
    throws: () => { throw mine },
    rejects: () => Promise.reject(mine),
    'calls back': (...args) => args.at(-1)(mine),
    'answers twice': (...args) => { args.at(-1)(mine); args.at(-1)(null) },
    'rejects with nothing': () => Promise.reject() // eslint-disable-line prefer-promise-reject-errors
  }
  for (const [name, hook] of Object.entries(kinds)) {
    for (const opts of [{ onwrite: hook }, { crypto: { sign: hook } }]) {
      const feed = await open(t, null, opts)
      const fault = await feed.append('x').then(() => assert.fail(name), (err) => err)
      assert(fault === mine || fault.code === 'EBADHOOK', `${name}: ${fault}`)
      assert.equal(feed.length, 0)
    }
  }
  for (const answer of ['text', 7, null, Buffer.alloc(63), {}]) {
    const feed = await open(t, null, { crypto: { sign: async () => answer } })
    await assert.rejects(feed.append('x'), { code: 'EBADHOOK' })
  }
  for (const opts of [{ onwrite: 7 }, { crypto: { sign: 'x' } }, { crypto: { verify: {} } }, { cache: { data: 'x' } }, { cache: { tree: true } }]) {
    assert.throws(() => hypercore(ram, opts), { code: 'EBADARGUMENT' }, inspect(opts))
  }
})

test('indexing: the blocks\' bytes are somebody else\'s', async (t) => {
  const files = {}
  const storage = (name) => (files[name] = files[name] || ram())
  const feed = await open(t, storage, { indexing: true })
  await ask(files.data, 'write', 0, Buffer.from('already here'))
  await ask(feed, 'append', ['already', ' here'])
  assert.equal(String(await feed.get(1)), ' here')
  const other = await open(t, (name) => name === 'data' ? failing() : ram(), { indexing: true })
  assert.equal(await other.append('not written'), 0)
})

test('allowPush: blocks that were not asked for are kept, where they are allowed', async (t) => {
  const feed = await filled(t, 2)
  for (const allowPush of [true, false]) {
    const reader = await clone(t, feed, { sparse: true, allowPush })
    assert.equal(reader.allowPush, allowPush)
    const stream = new hypercore.Protocol(true, { live: true })
    const back = reader.replicate(false, { live: true })
    defer(t, () => { stream.destroy(); back.destroy() })
    let refused = false
    const proof = await feed.proof(1)
    const channel = stream.open(feed.key, {
      onopen: () => channel.data({ index: 1, value: Buffer.from('block 1'), ...proof }),
      onunhave: () => { refused = true }
    })
    stream.pipe(back).pipe(stream)
    await until(() => allowPush ? reader.has(1) : refused)
    assert.equal(reader.has(1), allowPush)
  }
})

test('pending says what waits, for how long, and why', async (t) => {
  const opening = hypercore(ram, KEY)
  opening.get(1, () => {})
  assert.deepEqual(said(opening), [{ method: 'get', index: 1, reason: 'the feed is opening' }])

  const feed = await filled(t, 3)
  const reader = await clone(t, feed, { sparse: true })
  assert.deepEqual(reader.pending(), [])
  reader.get(7, () => {})
  reader.update(9, () => {})
  reader.download({ start: 20, end: 22 }, () => {})
  reader.seek(1000, () => {})
  await sleep(5)
  assert.deepEqual(said(reader).map(({ method, reason }) => [method, reason]), ['get', 'update', 'download', 'seek'].map((method) => [method, 'no peers']))
  assert(reader.pending()[0].waiting >= 4)
  const [one, other] = link(t, feed, reader)
  await until(() => reader.remoteLength === 3)
  assert.deepEqual(said(reader).slice(0, 3).map(({ reason }) => reason), ['no peer has block 7', 'no peer has 9 blocks', 'no peer has what is missing'])
  one.unpipe(other)
  reader.get(2, () => {})
  assert.match(said(reader).at(-1).reason, /^asked of peer [0-9a-f]{6}\.\.[0-9a-f]{2}$/)
  reader.cancel(2)
  reader.setDownloading(false)
  assert.equal(said(reader)[0].reason, 'downloading is off')
  await ask(reader, 'close')
  assert.deepEqual(reader.pending(), [])
})

test('pending says what is read from a JavaScript storage', async (t) => {
  const feed = await filled(t, 3)
  const all = Promise.all([feed.get(1), feed.get(2)])
  const read = [1, 2].map((index) => ({ method: 'get', index, reason: 'the storage is read' }))
  assert.deepEqual(said(feed), read)
  await all
  assert.deepEqual(said(feed), [])
})

test('bad input: an Error with a code, whatever the state', async (t) => {
  const bad = [-1, 0.5, NaN, Infinity, 2 ** 53, '0', {}, 1n]
  const calls = []
  for (const index of bad) {
    calls.push(['signature', index], ['rootHashes', index], ['proof', index], ['getBlockInfo', index], ['truncate', index])
    calls.push(['verify', index, Buffer.alloc(64)], ['put', index, 'x', { nodes: [] }], ['proof', 0, { digest: index }], ['getBlockInfo', index])
  }
  for (const signature of [null, undefined, 'x', Buffer.alloc(63), 7]) calls.push(['verify', 0, signature])
  for (const proof of [null, undefined, {}, { nodes: 7 }, { nodes: [null] }, { nodes: [{ index: 0, hash: Buffer.alloc(31), size: 1 }] }, { nodes: [{ index: -1, hash: Buffer.alloc(32), size: 1 }] }, { nodes: [], signature: Buffer.alloc(63) }, { nodes: Array(1000).fill({ index: 0, hash: Buffer.alloc(32), size: 1 }) }]) {
    calls.push(['put', 0, 'x', proof])
  }
  for (const value of [7, {}, true]) calls.push(['put', 0, value, { nodes: [] }])
  calls.push(['put', 5, 'x', { nodes: [] }], ['put', 5, null, { nodes: [] }], ['proof', 9], ['signature', 9], ['getBlockInfo', 9], ['rootHashes', 9])
  const closed = await filled(t, 3)
  await ask(closed, 'close')
  const states = { opening: hypercore(ram, KEY), open: await filled(t, 3), closed }
  for (const [state, feed] of Object.entries(states)) {
    for (const [method, ...args] of calls) {
      const error = await ask(feed, method, ...args).then(() => null, (err) => err)
      assert(error instanceof Error && typeof error.code === 'string', `${state}: ${method}(${inspect(args)}) gave ${error}`)
    }
    for (const index of bad) assert.throws(() => feed.digest(index), { code: 'EBADARGUMENT' })
  }
  const { open: feed } = states
  assert.deepEqual([feed.length, await feed.audit()], [3, { valid: 3, invalid: 0 }])
  const closing = await filled(t, 1)
  closing.close()
  for (const method of ['audit', 'finalize', 'signature']) await assert.rejects(closing[method](), (err) => typeof err.code === 'string')
  assert.deepEqual([closed.pending(), closed.digest(0)].length, 2)
})

async function filled (t, count) {
  const feed = await open(t)
  await ask(feed, 'append', Array.from({ length: count }, (_, i) => `block ${i}`))
  return feed
}

function said (feed) {
  return feed.pending().map(({ waiting, ...rest }) => rest)
}

function plain ({ index, hash, size }) {
  return { index, hash, size }
}

function failing () {
  const fail = (...args) => process.nextTick(args.at(-1), new Error('touched'))
  return { read: fail, write: fail, del: fail }
}
