'use strict'
// The modern way to call: promises that can be cancelled, AbortSignals, timeouts, async iteration,
// plain bytes, worker threads.

const assert = require('node:assert/strict')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const ram = require('random-access-memory')
const { hypercore, test, scratch, open, clone, ask, event, until, link, sleep, failed } = require('./helpers')

const KEY = Buffer.alloc(32, 9)

// Each call waits for ever on a feed without peers.
const WAITING = [['get', 5], ['getBatch', 5, 7], ['update', { minLength: 99 }], ['head', { update: true, minLength: 99 }], ['seek', 1000], ['download', { start: 5, end: 7 }]]

test('signal ends what waits: at once, later, while the feed opens, when it was aborted before', async (t) => {
  for (const [method, ...args] of WAITING) {
    for (const feed of [await open(t, null, KEY), hypercore(ram, KEY)]) {
      const controller = new AbortController()
      const waiting = feed[method](...withOptions(args, { signal: controller.signal }))
      const reason = new Error('enough')
      controller.abort(reason)
      await assert.rejects(waiting, (err) => err.name === 'AbortError' && err.code === 'ABORT_ERR' && err.cause === reason, method)
      await assert.rejects(feed[method](...withOptions(args, { signal: controller.signal })), { code: 'ABORT_ERR' })
      assert.deepEqual(feed.pending(), [])
    }
    const feed = await open(t, null, KEY)
    await assert.rejects(feed[method](...withOptions(args, { signal: AbortSignal.timeout(10) })), { code: 'ABORT_ERR' })
    const called = ask(feed, method, ...withOptions(args, { signal: AbortSignal.timeout(10) }))
    await assert.rejects(called, { code: 'ABORT_ERR' })
  }
})

test('a signal that is aborted too late changes nothing, and is not held on to', async (t) => {
  const feed = await open(t)
  await feed.append('x')
  const controller = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = controller.signal
  controller.signal.addEventListener = function (...args) { listeners++; return addEventListener.apply(this, args) }
  controller.signal.removeEventListener = function (...args) { listeners--; return removeEventListener.apply(this, args) }
  for (const [method, ...args] of [['get', 0], ['getBatch', 0, 1], ['update', { minLength: 1 }], ['head'], ['seek', 0]]) {
    await feed[method](...withOptions(args, { signal: controller.signal }))
  }
  controller.abort()
  assert.equal(listeners, 0)
})

test('timeout on every call, and as a default of the feed', async (t) => {
  for (const [method, ...args] of WAITING) {
    const feed = await open(t, null, KEY)
    await assert.rejects(feed[method](...withOptions(args, { timeout: 5 })), failed('ETIMEDOUT', 'ETIMEDOUT'), method)
    if (method === 'download') continue // asked for without an end in mind
    const hasty = await open(t, null, KEY, { timeout: 5 })
    await assert.rejects(hasty[method](...args), { code: 'ETIMEDOUT' }, method)
    const patient = hasty[method](...withOptions(args, { timeout: 0 }))
    assert.equal(await Promise.race([patient, sleep(20).then(() => 'waits')]), 'waits')
    hasty.close()
    await assert.rejects(patient, { code: 'ECLOSED' })
  }
})

test('promises may be handed to cancel and undownload', async (t) => {
  const feed = await open(t, null, KEY)
  for (const [method, ...args] of WAITING.filter(([method]) => method !== 'head')) {
    const waiting = feed[method](...args)
    feed.cancel(waiting)
    await assert.rejects(waiting, { code: 'ECANCELED' }, method)
    feed.cancel(waiting)
  }
  const download = feed.download({ start: 1, end: 3 })
  assert.deepEqual([download.start, download.end], [1, 3])
  feed.undownload(download)
  await assert.rejects(download, { code: 'ECANCELED' })
})

test('read streams: for await, live, a signal, a timeout', async (t) => {
  const feed = await open(t, null, { valueEncoding: 'utf-8' })
  await feed.append(['a', 'b'])
  const seen = []
  setTimeout(() => feed.append('c'), 5)
  for await (const value of feed.createReadStream({ live: true })) {
    seen.push(value)
    if (value === 'c') break
  }
  assert.deepEqual(seen, ['a', 'b', 'c'])
  const all = async (opts) => { for await (const value of feed.createReadStream(opts)) seen.push(value) }
  await assert.rejects(all({ live: true, signal: AbortSignal.timeout(10) }), { name: 'AbortError' })
  await assert.rejects(all({ start: 0, end: 9, timeout: 5 }), { code: 'ETIMEDOUT' })
})

test('plain bytes wherever a Buffer goes', async (t) => {
  const bytes = (buffer) => new Uint8Array(buffer)
  const pair = hypercore.keyPair(bytes(Buffer.alloc(32, 1)))
  const noise = hypercore.Protocol.keyPair(bytes(Buffer.alloc(32, 2)))
  const feed = await open(t, null, bytes(pair.publicKey), { secretKey: bytes(pair.secretKey), noiseKeyPair: { publicKey: bytes(noise.publicKey), secretKey: bytes(noise.secretKey) } })
  await feed.append([bytes([1, 2, 3]), new DataView(new ArrayBuffer(2)), new Uint16Array(2)])
  assert.deepEqual(await feed.getBatch(0, 3), [Buffer.from([1, 2, 3]), Buffer.alloc(2), Buffer.alloc(4)])
  assert.deepEqual(hypercore.discoveryKey(bytes(pair.publicKey)), feed.discoveryKey)
  const { signature, nodes } = await feed.proof(0)
  assert.equal(await feed.verify(2, bytes(signature)), true)
  const reader = await clone(t, feed)
  await reader.put(0, bytes([1, 2, 3]), { signature: bytes(signature), nodes: nodes.map(({ index, hash, size }) => ({ index, hash: bytes(hash), size })) })
  const heard = []
  reader.registerExtension('x', { onmessage: (message) => heard.push(message) })
  const extension = feed.registerExtension('x')
  const [, other] = link(t, feed, reader)
  await event(reader, 'sync')
  extension.broadcast(bytes([7]))
  await until(() => heard.length > 0)
  assert.deepEqual(heard, [Buffer.from([7])])
  assert.deepEqual(other.remotePublicKey, noise.publicKey)
})

test('promises nobody awaits crash nothing; a feed of its own is reusable at once', async (t) => {
  const rejections = []
  const listen = (err) => rejections.push(err)
  process.on('unhandledRejection', listen)
  t.after(() => process.off('unhandledRejection', listen))
  const reader = await open(t, null, KEY)
  for (const [method, ...args] of [['append', 'x'], ['flush'], ['clear', -1], ['update', { ifAvailable: true }], ['download', { start: -1 }], ['put', -1], ['truncate', -1], ['audit'], ['finalize']]) reader[method](...args)
  await sleep(20)
  reader.close()
  reader.close()
  await sleep(20)
  assert.deepEqual(rejections, [])
})

test('worker threads: several replicate at once, and are terminated at any moment', { timeout: 60000 }, async (t) => {
  const dir = scratch(t)
  const script = `
    const hypercore = require(${JSON.stringify(path.join(__dirname, 'helpers', 'hypercore.js'))})
    const { workerData, parentPort } = require('worker_threads')
    const feed = hypercore(workerData)
    let round = 0
    feed.append(Array(200).fill('block'), function again () {
      const reader = hypercore(hypercore.memory(), feed.key)
      const stream = feed.replicate(true, { live: true })
      stream.pipe(reader.replicate(false, { live: true })).pipe(stream)
      reader.on('sync', () => {
        stream.destroy()
        parentPort.postMessage(++round)
        feed.append(Buffer.alloc(100000), again)
      })
    })
  `
  const errors = []
  for (let batch = 0; batch < 5; batch++) {
    const workers = Array.from({ length: 4 }, (_, i) => new Worker(script, { eval: true, workerData: path.join(dir, `${batch}-${i}`) }))
    await Promise.all(workers.map(async (worker, i) => {
      worker.on('error', (err) => errors.push(err))
      if (batch > 0) await event(worker, 'message')
      await sleep(i * 7 + batch * 3)
      await worker.terminate()
    }))
  }
  assert.deepEqual(errors, [])
  const feed = await open(t, path.join(dir, '4-0'))
  assert(feed.length >= 200)
  const { invalid } = await feed.audit()
  assert.equal(invalid, 0)
})

// The arguments with these options added to the last one, or after it.
function withOptions (args, opts) {
  const last = args.at(-1)
  return typeof last === 'object' ? [...args.slice(0, -1), { ...last, ...opts }] : [...args, opts]
}
