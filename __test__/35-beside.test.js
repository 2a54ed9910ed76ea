'use strict'
// Beside each other: every verb that reads is held at each of its awaits while every verb that
// changes runs, and the other way round. A model says what the reader may answer (of before, of
// after) and what the log must be then, also when it is opened again.
//
// On JavaScript storages the test decides when each read and write is answered; on disk the verbs
// are started at the same time, in both orders. The verbs, and what each may answer, are in
// helpers/beside.js.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { hypercore, test, scratch, ask } = require('./helpers')
const { heldStorage } = require('./helpers/held-storage')
const { READS, CHANGES, pairs, makeLog, outcome, allowed, isAllowed, turns } = require('./helpers/beside')

// What is never answered fails by this.
const LIMIT = { timeout: 60000 }

// Turns of the event loop after which a verb on a JavaScript storage, all of whose operations are
// answered, waits for something else.
const QUIET = 12
// ... and after which it would wait for ever.
const LOST = 2000
// On disk the second verb starts so many turns after the first.
const OFFSETS = [0, 1]

for (const [kind, read, change] of pairs()) {
  test(`JavaScript storage ${kind}: ${read} is held while ${change} runs`, LIMIT, async (t) => {
    for (let n = 0; await held(t, kind, read, change, n, true); n++);
  })

  test(`JavaScript storage ${kind}: ${change} is held while ${read} runs`, LIMIT, async (t) => {
    for (let n = 0; await held(t, kind, read, change, n, false); n++);
  })

  test(`disk ${kind}: ${read} and ${change} at the same time`, LIMIT, async (t) => {
    const dir = scratch(t)
    for (const isReadFirst of [true, false]) {
      for (const offset of OFFSETS) await together(t, path.join(dir, `${isReadFirst} ${offset}`), kind, read, change, isReadFirst, offset)
    }
  })
}

// ## On JavaScript storages

// The first verb is held at its operation `n` while the second runs as far as it can. False if the
// first has fewer operations.
async function held (t, kind, read, change, n, isReadFirst) {
  const log = await makeLog(t, kind)
  const storage = heldStorage(log.files)
  const feed = await opened(storage, log)
  const start = { read: () => outcome(READS[read].run(feed, log)), change: () => outcome(CHANGES[change].run(feed, log)) }
  const [one, other] = isReadFirst ? ['read', 'change'] : ['change', 'read']
  const running = {}

  storage.hold()
  running[one] = start[one]()
  const op = await stopAt(storage, running[one], n)
  const stuck = [...storage.held]
  storage.pass()
  running[other] = start[other]()
  await settled(running[other], QUIET)
  storage.releaseAll()
  const where = `${one === 'read' ? read : change}, held at ${op ? `operation ${n}, ${op.verb} of ${op.name}` : 'no operation'}, beside ${one === 'read' ? change : read}`
  await finish(log, running, read, change, where, LOST)
  await verify(log, feed, storage, read, change, running, where)
  return stuck.length > 0
}

// Answers `n` operations, and waits for the one after them, which it gives; null if there is none.
async function stopAt (storage, running, n) {
  for (let i = 0; ; i++) {
    const op = await Promise.race([storage.next(), running.then(() => null)])
    if (op === null || i === n) return op
    op.release()
  }
}

async function settled (running, count) {
  for (let i = 0; i < count && !running.over; i++) await turns(1)
}

// Waits for both. What nobody can answer any more is given up. On a JavaScript storage nothing else
// can happen after `limit` turns.
async function finish (log, running, read, change, where, limit) {
  if (READS[read].onNetwork) limit = Infinity
  for (let i = 0; !running.change.over || !running.read.over; i += QUIET) {
    await turns(QUIET)
    if (running.change.over && mayBeGivenUp(log, read, change)) log.giveUp()
    assert(i < limit && !log.t.signal.aborted, `${where}: ${running.change.over ? read : change} is never answered`)
  }
}

function mayBeGivenUp (log, read, change) {
  if (!log.giveUp) return false
  const { forks, steps } = CHANGES[change]
  const last = steps(log.model).at(-1)
  return forks || log.needs.some((index) => !last.get(index)[0].value)
}

// ## On disk

async function together (t, dir, kind, read, change, isReadFirst, offset) {
  const log = await makeLog(t, kind)
  fs.mkdirSync(dir)
  for (const [name, bytes] of Object.entries(log.files)) fs.writeFileSync(path.join(dir, name), bytes)
  const feed = await opened(dir, log)
  const running = {}
  const starts = [() => { running.read = outcome(READS[read].run(feed, log)) }, () => { running.change = outcome(CHANGES[change].run(feed, log)) }]
  if (!isReadFirst) starts.reverse()
  starts[0]()
  await turns(offset)
  starts[1]()
  const where = `${isReadFirst ? read : change}, and ${offset} turns later ${isReadFirst ? change : read}`
  await finish(log, running, read, change, where, Infinity)
  await verify(log, feed, dir, read, change, running, where)
}

// ## What must be

async function opened (storage, { opts, blocks }) {
  const feed = hypercore(storage, opts)
  await ask(feed, 'ready')
  if (blocks) await ask(feed, 'append', blocks)
  return feed
}

async function verify (log, feed, storage, read, change, running, where) {
  const { effect = (model) => model } = READS[read]
  const result = await running.read
  const models = [log.model, ...CHANGES[change].steps(log.model)].map((model) => effect(model.clone(), result))
  const changed = await running.change
  assert(!changed.code, `${where}: ${change} failed: ${changed.code} ${changed.message}`)
  assert(isAllowed(allowed(READS[read], [log.model, ...models]), result), `${where}: ${read} answered ${show(result)}`)

  const last = models.at(-1).clone()
  if (last.isOpen) await compare(feed, last, `${where}, then`)
  for (const cleanup of log.cleanups) await cleanup()
  await ask(feed, 'close')
  last.reopen(log.model)
  const again = await opened(storage, { opts: log.opts })
  await compare(again, last, `${where}, opened again`)
  await ask(again, 'close')
}

async function compare (feed, model, where) {
  assert.deepEqual([feed.length, feed.byteLength], [model.length, model.byteLength], `${where}: length, byteLength`)
  for (let i = 0; i < model.length; i++) {
    assert(model.has(i).includes(feed.has(i)), `${where}: has(${i}) is ${feed.has(i)}`)
    const result = await outcome(feed.get(i, { wait: false }))
    assert(isAllowed(model.get(i), result), `${where}: get(${i}) answers ${show(result)}`)
    const isLost = result.code === 'EBADBLOCK' // a writer still says that it has it
    assert(isLost || feed.has(i) === !result.code, `${where}: get(${i}) answers ${show(result)}, has(${i}) says ${feed.has(i)}`)
  }
  const roots = await outcome(feed.rootHashes(model.length - 1))
  assert(isAllowed([{ value: model.roots(model.length) }], roots), `${where}: roots ${show(roots)}`)
  const first = await feed.audit()
  assert(first.corrupt.every((index) => model.blocks[index].state === 'rotten'), `${where}: audit says that ${first.corrupt} are corrupt`)
  const report = await feed.audit()
  assert.deepEqual([report.valid, report.invalid, report.corrupt], [feed.downloaded(), 0, []], `${where}: audit`)
}

function show ({ code, message, value }) {
  if (code) return `${code} ${message}`
  return Buffer.isBuffer(value) ? JSON.stringify(String(value)) : JSON.stringify(value)
}
