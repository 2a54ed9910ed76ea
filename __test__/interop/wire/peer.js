'use strict'
// One side of a case, in a process of its own: node peer.js '{ "impl": "ours" | "stock", "case":
// ..., "part": "seed" | "leech", ... }' It prints lines of JSON: { hello } of a seeder that
// listens, { tell } for the other side, { seen } at the end. What the other side tells comes in on
// stdin.

const assert = require('node:assert/strict')
const net = require('node:net')
const readline = require('node:readline')
const { Transform } = require('node:stream')
const ram = require('random-access-memory')
const cases = require('./cases')
const { ask, until, block } = require('../../helpers')

const task = JSON.parse(process.argv[2])
const hypercore = task.impl === 'stock' ? require('hypercore-9') : require('hypercore')
const Protocol = task.impl === 'stock' ? require('hypercore-protocol') : hypercore.Protocol
const spec = cases[task.case]
const options = { live: true, ...spec.options }

const told = []
readline.createInterface({ input: process.stdin }).on('line', (line) => told.push(JSON.parse(line))).on('close', () => process.exit(0))

const connections = []
const side = {
  feed: null,
  ports: task.ports,

  // A writer with `count` blocks; another `number` gives other blocks.
  async filled (count, number = 0) {
    const own = task.secretKey ? [task.publicKey, { secretKey: Buffer.from(task.secretKey, 'hex') }] : []
    const feed = hypercore(() => ram(), ...own)
    await ask(feed, 'ready')
    for (let i = 0; i < count; i += 50) {
      await ask(feed, 'append', Array.from({ length: Math.min(50, count - i) }, (_, j) => block(number + i + j)))
    }
    if (!side.feed) side.feed = feed
    return feed
  },

  async clone (opts, key = task.key) {
    const feed = hypercore(() => ram(), key, opts)
    await ask(feed, 'ready')
    if (!side.feed) side.feed = feed
    return feed
  },

  // Listens, puts the feed, or else a bare stream, on each socket, and says so.
  async serve (feed, onstream) {
    const server = net.createServer((socket) => {
      const stream = attach(feed, socket)
      connections.push([stream, socket])
      if (onstream) onstream(stream)
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    say({ hello: { port: server.address().port, key: side.feed.key.toString('hex') } })
  },

  connect (feed, port = task.port) {
    const socket = net.connect(port, '127.0.0.1')
    return { socket, stream: attach(feed, socket) }
  },

  join (feed, stream) {
    feed.replicate(task.initiator, { ...options, stream })
  },

  async connection () {
    await until(() => connections.length > 0)
    return connections[0]
  },

  tell (what) {
    say({ tell: what })
  },

  async told (what) {
    await until(() => told.length > 0)
    const heard = told.shift()
    if (what) assert.equal(heard, what)
    return heard
  },

  async check (feed, start, end, number = 0) {
    for (let i = start; i < end; i++) {
      const data = await ask(feed, 'get', i, { wait: false })
      assert(data.equals(block(number + i)), `block ${i}`)
    }
  }
}

spec[task.part](side).then((seen) => say({ seen: seen === undefined ? null : seen }), (err) => {
  console.error(task.impl, task.part, err)
  process.exit(1)
})

function attach (feed, socket) {
  const stream = feed ? feed.replicate(task.initiator, options) : new Protocol(task.initiator, options)
  socket.on('error', () => {})
  stream.on('error', () => {})
  if (spec.chunk) socket.pipe(chunker(spec.chunk)).pipe(stream).pipe(chunker(spec.chunk)).pipe(socket)
  else socket.pipe(stream).pipe(socket)
  return stream
}

// Cuts or gathers what flows into pieces of this size; what does not fill one waits for a moment.
function chunker (size) {
  let held = []
  let timer = null
  return new Transform({
    transform (chunk, _, cb) {
      held.push(chunk)
      const all = Buffer.concat(held)
      let at = 0
      for (; all.length - at >= size; at += size) this.push(all.subarray(at, at + size))
      held = at < all.length ? [all.subarray(at)] : []
      clearTimeout(timer)
      timer = setTimeout(() => { this.push(Buffer.concat(held)); held = [] }, 5)
      cb()
    },
    flush (cb) {
      clearTimeout(timer)
      this.push(Buffer.concat(held))
      cb()
    }
  })
}

function say (what) {
  console.log(JSON.stringify(what))
}
