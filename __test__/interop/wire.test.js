'use strict'
// The same protocol: ours and stock hypercore 9 replicate with each other, in one process and in
// two.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const ram = require('random-access-memory')
const stock = require('hypercore-9')
const { hypercore: ours, test, defer, scratch, ask, event, link, until, block, hashDirectory } = require('../helpers')

const COUNT = 2000
const PEER = path.join(__dirname, '..', 'helpers', 'peer.js')
const ORDERS = [['ours to stock', ours, stock], ['stock to ours', stock, ours]]
const FLAGS = [true, false]

for (const [name, from, to] of ORDERS) {
  for (const initiator of FLAGS) {
    const title = `${name}, ${initiator ? 'writer' : 'reader'} starts`

    test(`${title}: everything`, async (t) => {
      const [writer, reader] = await pair(t, from, to)
      await join(t, writer, reader, initiator)
      await until(() => reader.downloaded() === 300)
      await readsBack(reader)
    })

    test(`${title}: sparse, update, seek, ranges`, async (t) => {
      const [writer, reader] = await pair(t, from, to, { sparse: true })
      await join(t, writer, reader, initiator)
      await ask(reader, 'update')
      assert.equal(reader.length, 300)
      assert.equal(reader.downloaded(), 0)
      assert((await ask(reader, 'get', 123)).equals(block(123, 123 * 7)))
      const at = Array.from({ length: 200 }, (_, i) => i * 7).reduce((a, b) => a + b)
      assert.deepEqual(await ask(reader, 'seek', at + 5), [200, 5])
      await ask(reader, 'download', { start: 30, end: 60 })
      assert.equal(reader.downloaded(30, 60), 30)
    })

    test(`${title}: live updates`, async (t) => {
      const [writer, reader] = await pair(t, from, to)
      await join(t, writer, reader, initiator)
      for (let i = 300; i < 330; i++) {
        await ask(writer, 'append', block(i, i * 7))
        assert((await ask(reader, 'get', i)).equals(block(i, i * 7)))
      }
      await until(() => reader.downloaded() === 330)
    })

    test(`${title}: not live, ends`, async (t) => {
      const [writer, reader] = await pair(t, from, to)
      const one = writer.replicate(initiator)
      const other = reader.replicate(!initiator)
      const ends = Promise.all([one, other].map((stream) => event(stream, 'end')))
      one.pipe(other).pipe(one)
      await ends
      await readsBack(reader)
    })

    test(`${title}: without encryption, without Noise`, async (t) => {
      for (const options of [{ encrypted: false }, { encrypted: false, noise: false }]) {
        const [writer, reader] = await pair(t, from, to)
        await join(t, writer, reader, initiator, options)
        await until(() => reader.downloaded() === 300)
        await readsBack(reader)
      }
    })

    for (const sparse of FLAGS) {
      test(`${title}, two processes over TCP: ${COUNT} blocks, ${sparse ? 'sparse' : 'whole'}`, { timeout: 120000 }, async (t) => {
        const impls = from === ours ? ['ours', 'stock'] : ['stock', 'ours']
        const source = await filledDirectory(t, from)
        const dir = path.join(scratch(t), 'clone')
        const server = peer(t, { impl: impls[0], role: 'writer', dir: source.dir, initiator })
        const { port, key } = await said(server)
        const client = peer(t, { impl: impls[1], role: 'reader', dir, initiator: !initiator, sparse, key, port, count: COUNT })
        const ended = event(client, 'exit')
        assert.deepEqual(await said(client), { length: COUNT, byteLength: source.byteLength, downloaded: COUNT })
        assert.deepEqual(await ended, [0, null])
        const [written, read] = [hashDirectory(source.dir), hashDirectory(dir)]
        assert.equal(read.data, written.data)
        assert.equal(read.tree, written.tree)
      })
    }
  }

  test(`${name}: the writer clears, the reader asks somebody else`, async (t) => {
    const [writer, whole] = await pair(t, from, from)
    await join(t, writer, whole, true)
    await until(() => whole.downloaded() === 300)
    await ask(writer, 'clear', 50, 60)
    const reader = await use(t, to, writer.key, { sparse: true })
    await join(t, writer, reader, true)
    await join(t, whole, reader, false)
    assert((await ask(reader, 'get', 55)).equals(block(55, 55 * 7)))
  })

  test(`${name}: extensions`, async (t) => {
    const [writer, reader] = await pair(t, from, to)
    const heard = []
    const options = { encoding: 'json', onmessage: (message, peer) => heard.push([message, !!peer]) }
    const mine = writer.registerExtension('chat', options)
    reader.registerExtension('other', {})
    reader.registerExtension('chat', options)
    await join(t, writer, reader, true)
    await until(() => reader.downloaded() === 300)
    mine.broadcast({ hello: 1 })
    await until(() => heard.length === 1)
    assert.deepEqual(heard, [[{ hello: 1 }, true]])
  })
}

async function pair (t, from, to, options) {
  const writer = await use(t, from)
  await ask(writer, 'append', Array.from({ length: 300 }, (_, i) => block(i, i * 7)))
  return [writer, await use(t, to, writer.key, options)]
}

async function use (t, hypercore, ...args) {
  const feed = hypercore(() => ram(), ...args)
  defer(t, () => ask(feed, 'close').catch(() => {}))
  await ask(feed, 'ready')
  return feed
}

async function join (t, writer, reader, initiator, options) {
  if (initiator) link(t, writer, reader, options)
  else link(t, reader, writer, options)
  await until(() => reader.peers.length > 0 && reader.peers[0].remoteOpened)
}

async function readsBack (feed) {
  for (let i = 0; i < 300; i++) assert((await ask(feed, 'get', i, { wait: false })).equals(block(i, i * 7)), `block ${i}`)
}

// One directory with all blocks for each implementation, made at the first use.
const sources = new Map()

function filledDirectory (t, hypercore) {
  if (!sources.has(hypercore)) sources.set(hypercore, makeDirectory(hypercore))
  return sources.get(hypercore)
}

async function makeDirectory (hypercore) {
  const dir = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'hypercore-test-'))
  process.once('exit', () => fs.rmSync(dir, { recursive: true, force: true }))
  const feed = hypercore(dir)
  for (let i = 0; i < COUNT; i += 125) await ask(feed, 'append', Array.from({ length: 125 }, (_, j) => block(i + j)))
  const { byteLength } = feed
  await ask(feed, 'close')
  return { dir, byteLength }
}

function peer (t, task) {
  const child = spawn(process.execPath, [PEER, JSON.stringify(task)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = event(child, 'exit')
  defer(t, () => { child.kill(); return gone })
  return child
}

// The one line that a peer prints.
async function said (child) {
  let text = ''
  child.stdout.setEncoding('utf8')
  while (!text.includes('\n')) {
    const [part] = await Promise.race([event(child.stdout, 'data'), event(child.stdout, 'end')])
    if (part === undefined) assert.fail('the peer ended without a word')
    text += part
  }
  return JSON.parse(text)
}
