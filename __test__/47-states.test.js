'use strict'
// Every method, in every state of a feed, with right and with wrong arguments, by callback and by
// promise: it answers, once, not before it returned, and what is wrong is an Error with a code. The
// right calls are such that they need no peer.

const assert = require('node:assert/strict')
const { Readable, Writable, Duplex } = require('node:stream')
const { inspect } = require('node:util')
const { hypercore, test, create, ask, sleep } = require('./helpers')

const BAD_INDEXES = [-1, 0.5, NaN, Infinity, 2 ** 53, '0', null, {}, 1n, Symbol('x'), true]
const SIGNATURE = Buffer.alloc(64, 1)

// name: [right arguments], then wrong ones. Where right arguments fail all the same (a signature
// that is none), that is an Error with a code, too.
const METHODS = {
  ready: [[]],
  open: [[]],
  append: [['x'], [7], [{}], [null], [undefined], [[1]], [Symbol('x')], [['x', null]]],
  flush: [[]],
  get: [[0], ...indexes(), [0, { signal: 7 }], [0, { timeout: 'x' }]],
  getBatch: [[0, 2], ...indexes().map(([index]) => [index, 3]), [2, 1], [0, 'x'], [0, 2, { signal: {} }]],
  head: [[], [{ signal: 7 }], [{ timeout: -1 }]],
  update: [[1], [-2], [0.5], [{ minLength: 'x' }], [{ minLength: -5 }], [{ signal: 7 }]],
  seek: [[1], ...indexes(), [1, { start: -1 }], [1, { end: 0.5 }], [1, { signal: 7 }]],
  download: [[{ start: 0, end: 1 }], [-1], ['0'], [true], [{ start: -1 }], [{ start: 2, end: 1 }], [{ blocks: [-1] }], [{ blocks: 7 }]],
  clear: [[0, 1], ...indexes(), [2, 1], [0, 'x'], [0, 0.5]],
  signature: [[0], ...indexes().filter(([index]) => index !== null)],
  verify: [[0, SIGNATURE], ...indexes().map(([index]) => [index, SIGNATURE]), [0, undefined], [0, 'x'], [0, Buffer.alloc(63)]],
  rootHashes: [[0], ...indexes()],
  getBlockInfo: [[0], ...indexes()],
  proof: [[0], ...indexes(), [0, { digest: -1 }], [0, { digest: 'x' }]],
  put: [[0, 'x', { nodes: [] }], [0, 'x', undefined], [0, 'x', {}], [0, 'x', { nodes: [7] }], [0, 7, { nodes: [] }], [-1, 'x', { nodes: [] }]],
  audit: [[]],
  truncate: [[1], ...indexes(), [99]],
  finalize: [[]],
  close: [[]],
  destroyStorage: [[]]
}

// Those that answer at once: name, right arguments; wrong ones, which throw an Error with a code,
// or are given a plain answer.
const AT_ONCE = {
  has: [[0], ...indexes(), [2, 1]],
  downloaded: [[], ...indexes().filter(([index]) => index !== null), [0, 'x']],
  digest: [[0], ...indexes()],
  cancel: [[0], ...indexes(), [Symbol('unknown')], [0, 'x'], [Promise.resolve()]],
  undownload: [[{ start: 0, end: 1 }], [-1], ['x'], [{ start: -1 }], [null], [Promise.resolve()]],
  setDownloading: [[true], [7], ['x'], [undefined]],
  setUploading: [[true], [7], ['x'], [undefined]],
  setExpectedLength: [[5], ['x'], [-2], [0.5], [null]],
  registerExtension: [['x'], [7], [null], [undefined], [{}]],
  extension: [[0, Buffer.alloc(1)], [0, 7], ['x', Buffer.alloc(1)]],
  pending: [[]],
  replicate: [[true], [], ['x'], [7], [true, { keyPair: 7 }], [true, { timeout: 'x' }], [true, { maxRequests: -1 }], [true, { stream: {} }], [{}]],
  createReadStream: [[], [{ start: -1 }], [{ start: 'x' }], [{ end: 0.5 }], [{ timeout: 'x' }], [{ signal: 7 }]],
  createWriteStream: [[], [{ maxBlockSize: 'x' }], [7]]
}

const STATES = {
  async opening (t) {
    const memory = hypercore.memory()
    await ask(await filled(t, memory), 'close')
    return create(t, memory)
  },
  open: (t) => filled(t),
  async closing (t) {
    const feed = await filled(t)
    feed.close(() => {})
    return feed
  },
  async closed (t) {
    const feed = await filled(t)
    await ask(feed, 'close')
    return feed
  }
}

for (const [state, make] of Object.entries(STATES)) {
  test(`${state}: methods that answer later`, { timeout: 120000 }, async (t) => {
    for (const [name, [right, ...wrong]] of Object.entries(METHODS)) {
      for (const args of [right, ...wrong]) {
        for (const how of [byCallback, byPromise]) {
          const said = `${state}: ${name}(${args.map((arg) => inspect(arg)).join()}), ${how.name}`
          const feed = await make(t)
          const result = await Promise.race([how(feed, name, args), sleep(5000).then(() => assert.fail(`${said} does not answer`))])
          if (args !== right || result instanceof Error) assert(isCoded(result), `${said} gave ${inspect(result)}`)
        }
      }
    }
  })

  test(`${state}: methods that answer at once`, { timeout: 60000 }, async (t) => {
    for (const [name, [right, ...wrong]] of Object.entries(AT_ONCE)) {
      for (const args of [right, ...wrong]) {
        const said = `${state}: ${name}(${args.map((arg) => inspect(arg)).join()})`
        const feed = await make(t)
        const result = outcome(() => feed[name](...args))
        if (result instanceof Error) assert(isCoded(result) && args !== right, `${said} threw ${inspect(result)}`)
        if (result instanceof Readable || result instanceof Writable || result instanceof Duplex) await ends(result, said)
      }
    }
  })
}

test('what was refused has changed nothing', async (t) => {
  const feed = await filled(t)
  for (const [name, [, ...wrong]] of Object.entries(METHODS)) {
    for (const args of wrong) await byCallback(feed, name, args)
  }
  for (const [name, [, ...wrong]] of Object.entries(AT_ONCE)) {
    if (name.startsWith('set') || name === 'replicate') continue
    for (const args of wrong) {
      const result = outcome(() => feed[name](...args))
      if (result instanceof Readable || result instanceof Writable) result.on('error', () => {}).destroy()
    }
  }
  assert.deepEqual([feed.length, feed.downloaded(), feed.opened, feed.peers.length, feed.pending()], [3, 3, true, 0, []])
  assert.equal(String(await ask(feed, 'get', 2)), 'c')
  assert.equal(await ask(feed, 'append', 'd'), 3)
})

function indexes () {
  return BAD_INDEXES.map((index) => [index])
}

async function filled (t, memory = hypercore.memory()) {
  const feed = create(t, memory)
  await ask(feed, 'append', ['a', 'b', 'c'])
  return feed
}

// The error, or the values; the callback comes once, and not before the call returned.
function byCallback (feed, name, args) {
  return new Promise((resolve, reject) => {
    let hasReturned = false
    let count = 0
    feed[name](...args, (err, ...values) => {
      if (!hasReturned || ++count > 1) reject(new Error(`${name} called back too early, or again`))
      setImmediate(resolve, err || values)
    })
    hasReturned = true
  })
}

function byPromise (feed, name, args) {
  return feed[name](...args).then((value) => [value], (err) => err)
}

function outcome (call) {
  try {
    return call()
  } catch (err) {
    return err
  }
}

function isCoded (err) {
  return err instanceof Error && typeof err.code === 'string'
}

// A stream of a feed can be destroyed, and its error has a code.
async function ends (stream, said) {
  let error = null
  stream.on('error', (err) => { error = err })
  await sleep(0)
  const closed = new Promise((resolve) => stream.destroyed ? setImmediate(resolve) : stream.on('close', resolve))
  stream.destroy()
  await closed
  if (error) assert(isCoded(error), `${said} ended with ${inspect(error)}`)
}
