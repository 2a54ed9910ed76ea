'use strict'
// The Protocol class for programs of their own, with itself and with npm hypercore-protocol at the
// other end; and the door for ES modules.

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const net = require('node:net')
const { inspect } = require('node:util')
const Stock = require('hypercore-protocol')
const { hypercore, test, defer, event, until, sleep } = require('./helpers')

const { Protocol } = hypercore
const KEY = Buffer.alloc(32, 1)
const OTHER = Buffer.alloc(32, 2)
const PAIRS = { 'ours to ours': [Protocol, Protocol], 'ours to stock': [Protocol, Stock], 'stock to ours': [Stock, Protocol] }

// What is said, and what is heard: absent fields are filled.
const MESSAGES = [
  ['options', { extensions: ['a', 'b'], ack: true }],
  ['options', {}, { extensions: [], ack: false }],
  ['status', { uploading: true, downloading: false }],
  ['have', { start: 3 }, { start: 3, length: 1, bitfield: null, ack: false }],
  ['have', { start: 3, length: 9, bitfield: Buffer.from([1, 2]), ack: true }],
  ['unhave', { start: 4 }, { start: 4, length: 1 }],
  ['unhave', { start: 4, length: 2 }],
  ['want', { start: 0, length: 1024 }],
  ['want', { start: 7 }, { start: 7, length: 0 }],
  ['unwant', { start: 1, length: 5 }],
  ['request', { index: 10 }, { index: 10, bytes: 0, hash: false, nodes: 0 }],
  ['request', { index: 10, bytes: 5, hash: true, nodes: 2 ** 40 }],
  ['cancel', { index: 1 }, { index: 1, bytes: 0, hash: false }],
  ['cancel', { index: 1, bytes: 2, hash: true }],
  ['data', { index: 42 }, { index: 42, value: null, nodes: [], signature: null }],
  ['data', { index: 42, value: Buffer.from('value'), nodes: [{ index: 1, hash: Buffer.alloc(32, 4), size: 5 }], signature: Buffer.alloc(64, 6) }],
  ['data', { index: 43, value: Buffer.alloc(0), nodes: [] }, { index: 43, value: Buffer.alloc(0), nodes: [], signature: null }]
]

for (const [title, [A, B]] of Object.entries(PAIRS)) {
  test(`${title}: every message, both ways, in order`, async (t) => {
    const [a, b] = pair(t, A, B)
    const heard = [[], []]
    const channels = [a, b].map((stream, i) => stream.open(KEY, listener(heard[i])))
    for (const channel of channels) {
      for (const [name, message] of MESSAGES) channel[name](message)
      channel.extension(3, Buffer.from('extra'))
      channel.have({ start: 1000 })
    }
    await until(() => heard.every((list) => list.length === MESSAGES.length + 2))
    const expected = MESSAGES.map(([name, said, filled]) => [name, filled || said])
    for (const list of heard) {
      assert.deepEqual(list.slice(0, -2).map(plain), expected)
      assert.deepEqual(list.at(-2), ['extension', 3, Buffer.from('extra')])
    }
  })

  test(`${title}: handlers and events of a channel's life`, async (t) => {
    const said = []
    const note = (name) => (value) => said.push(name + (Buffer.isBuffer(value) ? ` ${value.equals(hypercore.discoveryKey(KEY))}` : ''))
    const handlers = Object.fromEntries(['ondiscoverykey', 'onhandshake', 'onremoteopen', 'onchannelclose', 'onextensions'].map((name) => [name, note(name)]))
    const [a, b] = pair(t, A, B, { live: true }, { live: true, ...handlers })
    for (const name of ['discovery-key', 'remote-open', 'duplex-channel', 'handshake', 'extensions', 'prefinalize']) b.on(name, note(name))
    const channel = a.open(KEY)
    assert.deepEqual([channel.opened, channel.closed, channel.remoteOpened, channel.key, channel.stream], [true, false, false, KEY, a])
    await until(() => said.includes('remote-open true'))
    assert.deepEqual(said, ['onhandshake', 'handshake', 'ondiscoverykey true', 'discovery-key true', 'onremoteopen true', 'remote-open true'])
    assert.deepEqual([b.opened(KEY), b.remoteOpened(KEY), b.remoteVerified(KEY), b.remoteOpened(OTHER), b.remoteVerified(OTHER), b.channelCount], [false, true, true, false, false, 1])

    said.length = 0
    let closed = 0
    const late = b.open(KEY, { onopen: note('late onopen'), onclose: () => { closed++ } })
    assert.deepEqual([late.opened, late.remoteOpened, b.open(KEY) === late, [...b.channels].length], [true, true, true, 1])
    await until(() => said.includes('duplex-channel') && channel.remoteOpened)
    assert.deepEqual([channel.remoteVerified, late.remoteVerified, channel.localId > -1, channel.remoteId > -1], [true, true, true, true])
    assert(!said.includes('late onopen'))
    channel.close()
    assert.deepEqual([channel.opened, a.opened(KEY), a.channelCount], [false, false, 0])
    await until(() => closed === 1 && said.includes('prefinalize'))
    assert(said.includes('onchannelclose true'))
    a.registerExtension('x').send(Buffer.from('y'))
    await until(() => said.includes('extensions'))
    assert.equal(b.destroyed, false)
  })

  test(`${title}: opened, closed and opened again in one turn`, async (t) => {
    const opens = []
    const [a, b] = pair(t, A, B, { live: true }, { live: true, ondiscoverykey: () => b.open(KEY, { onopen: () => opens.push('b') }) })
    const first = a.open(KEY, {
      onopen () {
        first.close()
        a.open(KEY, { onopen: () => opens.push('a again') })
      },
      onclose: () => opens.push('a closed')
    })
    await until(() => opens.includes('a again'))
    await sleep(10)
    assert.deepEqual(opens.filter((name) => name !== 'b'), ['a closed', 'a again'])
    assert.deepEqual([a.opened(KEY), b.opened(KEY)], [true, true])
  })

  test(`${title}: stream members, extensions, ping, end`, async (t) => {
    const heard = []
    const [a, b] = pair(t, A, B)
    a.registerExtension('both', { encoding: 'json', onmessage: (message) => heard.push(message) })
    b.registerExtension('alone')
    b.registerExtension('both', { encoding: 'json' }).send({ hello: 'world' })
    const closed = []
    a.open(KEY, { onclose: () => closed.push('a') })
    b.open(KEY, { onclose: () => closed.push('b') })
    await until(() => heard.length === 1)
    assert.deepEqual(heard, [{ hello: 'world' }])
    assert.deepEqual([a.remotePublicKey, b.remotePublicKey], [b.publicKey, a.publicKey])
    assert.deepEqual(a.state.handshakeHash, b.state.handshakeHash)
    a.ping()
    a.setKeepAlive(50)
    a.setTimeout(5000)
    assert.equal(a.timeout.ms, 5000)
    a.setTimeout(0)
    assert.equal(a.timeout, null)
    assert.deepEqual([a.initiator, b.initiator, a.live, a.remoteAddress], [true, false, false, null])
    assert(a.bytesSent > 0 && a.bytesReceived > 0)
    const ended = Promise.all([event(a, 'end'), event(b, 'end')])
    b.close(hypercore.discoveryKey(KEY))
    await ended
    assert.deepEqual(closed.sort(), ['a', 'b'])
  })

  test(`${title}: destroy closes the channels; onauthenticate; without Noise`, async (t) => {
    const closed = []
    const handlers = { onchannelclose: (discoveryKey, key) => closed.push(key) }
    const [a] = pair(t, A, B, handlers)
    a.open(KEY, { onclose: () => closed.push('channel') })
    a.destroy()
    await event(a, 'close')
    assert.deepEqual(closed, ['channel', KEY])

    const [c, d] = pair(t, A, B, {}, { onauthenticate: (key, done) => done(key.equals(c.publicKey) ? null : new Error('who')) })
    await Promise.all([event(c, 'handshake'), event(d, 'handshake')])
    const [e, f] = pair(t, A, B, { noise: false, encrypted: false }, { noise: false, encrypted: false })
    const heard = []
    e.open(KEY, listener(heard))
    f.open(KEY).have({ start: 1 })
    await until(() => heard.length === 1)
    assert.deepEqual([e.publicKey, e.remotePublicKey, e.remoteVerified(KEY)], [null, null, false])
  })
}

test('a wrong key at the other end: nothing is heard, and the stream ends when both have opened', async (t) => {
  const [a, b] = pair(t, Protocol, Protocol)
  a.open(KEY)
  b.open(OTHER)
  await until(() => a.channelCount === 2 && b.channelCount === 2)
  assert.deepEqual([a.remoteVerified(OTHER), a.remoteVerified(KEY), a.destroyed], [true, false, false])
})

test('a feed and raw channels share a stream', async (t) => {
  const feed = hypercore(require('random-access-memory'))
  await feed.append('x')
  const [a, b] = pair(t, Protocol, Protocol, { live: true }, { live: true })
  feed.replicate(a, { live: true })
  const heard = []
  const channel = b.open(feed.key, listener(heard))
  a.open(OTHER, listener(heard))
  channel.want({ start: 0, length: 1024 * 1024 })
  channel.request({ index: 0 })
  b.open(OTHER).have({ start: 9 })
  await until(() => heard.some(([name]) => name === 'data') && heard.some(([, message]) => message.start === 9))
  assert.equal(String(heard.find(([name]) => name === 'data')[1].value), 'x')
  assert.equal(feed.peers.length, 1)
  channel.close()
  await until(() => feed.peers.length === 0)
  await feed.close()
})

test('the handshake as a whole has a deadline, however slowly its bytes drip', async (t) => {
  const stream = new Protocol(false, { timeout: 150 })
  defer(t, () => stream.destroy())
  stream.resume()
  const drip = setInterval(() => stream.write(Buffer.from([1])), 20)
  defer(t, () => clearInterval(drip))
  stream.write(Buffer.from([200]))
  const started = Date.now()
  const [err] = await event(stream, 'error')
  assert.equal(err.code, 'ETIMEDOUT')
  assert(Date.now() - started < 1000)

  const patient = new Protocol(false, { timeout: 0 })
  defer(t, () => patient.destroy())
  await sleep(250)
  assert.equal(patient.destroyed, false)
  const [a, b] = pair(t, Protocol, Protocol, { timeout: 100 }, { timeout: 100 })
  await sleep(300)
  assert.deepEqual([a.destroyed, b.destroyed], [false, false])
})

test('a flood of tiny messages is taken in no faster than they are handled', { timeout: 60000 }, async (t) => {
  const stream = new Protocol(true, { encrypted: false, noise: false, live: true })
  t.after(() => stream.destroy())
  let heard = 0
  stream.registerExtension('x', { onmessage () { heard++ } })
  stream.write(Buffer.from([4, 1, 10, 1, 120])) // options: extensions ['x']
  const frames = Buffer.alloc(3 << 20, Buffer.from([2, 15, 0])) // a million empty messages of it
  let turns = 0
  const watch = setInterval(() => turns++, 1)
  stream.write(frames)
  await until(() => heard === 1 << 20)
  clearInterval(watch)
  assert(turns > 20, `the event loop turned ${turns} times`)
})

test('over a socket: remoteAddress and remoteType', async (t) => {
  const server = net.createServer((socket) => join(t, socket, new Protocol(false))).listen(0, '127.0.0.1')
  await event(server, 'listening')
  defer(t, () => server.close())
  const socket = net.connect(server.address().port, '127.0.0.1')
  const stream = join(t, socket, new Protocol(true))
  await event(stream, 'handshake')
  assert.deepEqual([stream.remoteAddress, stream.remoteType], ['127.0.0.1', 'tcp'])
  const text = inspect(stream)
  for (const name of ['publicKey', 'remotePublicKey', 'remoteAddress', 'remoteType', 'live', 'initiator', 'channelCount', 'destroyed', 'prefinalized', 'bytesSent', 'bytesReceived']) {
    assert(text.includes(`  ${name}: `), name)
  }
})

test('bad input: an Error with a code, and the stream goes on', async (t) => {
  const [a, b] = pair(t, Protocol, Protocol)
  const heard = []
  b.open(KEY, listener(heard))
  const channel = a.open(KEY)
  for (const initiator of [undefined, null, 1, 'yes']) assert.throws(() => new Protocol(initiator), { code: 'EBADARGUMENT' })
  for (const key of [undefined, null, 7, 'abc', Buffer.alloc(31), {}]) {
    for (const method of ['open', 'opened', 'remoteOpened', 'remoteVerified', 'close']) assert.throws(() => a[method](key), { code: 'EBADKEY' }, `${method}(${inspect(key)})`)
  }
  const bad = [
    ['have', {}], ['data'], ['have', { start: -1 }], ['have', { start: 'x' }], ['have', { start: 2 ** 60 }], ['have', { start: 0, bitfield: 7 }], ['request', { index: 0.5 }],
    ['request', { index: NaN }], ['data', { index: 0, value: 7 }], ['data', { index: 0, nodes: [{ index: 0, hash: Buffer.alloc(3), size: 1 }] }],
    ['data', { index: 0, signature: Buffer.alloc(2) }], ['data', { index: 0, nodes: 'x' }], ['options', { extensions: 7 }], ['options', { extensions: [7] }]
  ]
  for (const [name, message] of bad) assert.throws(() => channel[name](message), { code: 'EBADARGUMENT' }, `${name}(${inspect(message)})`)
  for (const id of [-1, 0.5, 'x', undefined]) assert.throws(() => channel.extension(id, Buffer.alloc(1)), { code: 'EBADARGUMENT' }, String(id))
  assert.throws(() => channel.extension(0, 7), { code: 'EBADARGUMENT' })
  channel.have({ start: 5 })
  await until(() => heard.length === 1)
  for (const stream of [{}, 7, { initiator: true, pipe () {}, state: {} }]) {
    const feed = hypercore(require('random-access-memory'))
    assert.throws(() => feed.replicate(true, { stream }), { code: 'EBADARGUMENT' })
    await feed.close()
  }
  a.destroy()
  channel.have({ start: 6 })
  channel.close()
  a.close(hypercore.discoveryKey(KEY))
  assert.equal(a.open(OTHER).opened, false)
  a.ping()
})

test('import: the same class by default', () => {
  const script = "import Hypercore from 'hypercore'; import { createRequire } from 'node:module'; const feed = new Hypercore(Hypercore.memory()); console.log(await feed.append('x'), Hypercore === createRequire(import.meta.url)('hypercore'), typeof Hypercore.Protocol)"
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: __dirname, timeout: 10000 })
  assert.equal(stdout, '0 true function\n', stderr)
})

function pair (t, A, B, one, other) {
  const [a, b] = [new A(true, one), new B(false, other)]
  for (const stream of [a, b]) stream.on('error', () => {})
  setImmediate(() => a.pipe(b).pipe(a))
  defer(t, () => { a.destroy(); b.destroy() })
  return [a, b]
}

function join (t, socket, stream) {
  socket.on('error', () => {})
  stream.on('error', () => {})
  socket.pipe(stream).pipe(socket)
  defer(t, () => { stream.destroy(); socket.destroy() })
  return stream
}

// Handlers for all messages, that write down what they hear.
function listener (list) {
  const names = [...new Set(MESSAGES.map(([name]) => name)), 'extension']
  return Object.fromEntries(names.map((name) => ['on' + name, (...args) => list.push([name, ...args])]))
}

// Stock's decoder gives nodes of a class of its own.
function plain ([name, message]) {
  return [name, message.nodes?.length ? { ...message, nodes: message.nodes.map((node) => ({ ...node })) } : { ...message }]
}
