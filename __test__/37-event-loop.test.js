'use strict'
// The event loop belongs to the program: beside each long verb it turns, as often as the size of
// the work asks for, and no turn carries more than a bounded number of the core's steps. Both are
// counted: a chain of setImmediate counts turns.

const assert = require('node:assert/strict')
const path = require('node:path')
const { hypercore, test, scratch, open, ask, fill, link } = require('./helpers')
const { hugeLog, loseInnerNodes } = require('./helpers/huge')
const { work } = require('./helpers/work')

// What never ends fails by this.
const LIMIT = { timeout: 60000 }
// More than this the core does not do between two turns, workers included.
const STEPS_A_TURN = 16384

// What takes no more steps than this may be over in one turn.
const FEW = 256

// Each is verb: { make(t) -> feed, run(feed, t), turns: at least so many }.
const VERBS = {
  'audit of 64 MiB': { make: (t) => written(t, 1024, 65536), run: (feed) => ask(feed, 'audit'), turns: 16 },
  'signature of a batch of 300,000 blocks': { make: (t) => batch(t, 300000), run: (feed) => ask(feed, 'signature', 0), turns: 2 },
  'seek in a log whose inner nodes are lost': { make: lossy, run: (feed) => ask(feed, 'seek', feed.byteLength - 2), turns: 2 },
  'clear of all of 8 Mi blocks': { make: huge, run: (feed) => ask(feed, 'clear', 0, feed.length), turns: 1 },
  'getBatch of 10,000 blocks': { make: (t) => written(t, 10000, 100), run: (feed) => ask(feed, 'getBatch', 0, 10000), turns: 2 },
  'append of a batch of 10,000 blocks': { make: (t) => empty(t), run: (feed) => fill(feed, 10000, 100), turns: 2 },
  'replication of 20,000 blocks': { make: (t) => written(t, 20000, 100), run: replicated, turns: 20 },
  '20,000 awaited gets': { make: (t) => written(t, 20000, 100), run: (feed) => loop(20000, (i) => feed.get(i)), turns: 10 },
  '2,000 awaited appends': { make: (t) => empty(t), run: (feed) => loop(2000, (i) => feed.append(`block ${i}`)), turns: 10 },
  '2,000 awaited appends and gets': {
    make: (t) => empty(t),
    run: (feed) => loop(2000, async (i) => feed.get(await feed.append(`block ${i}`))),
    turns: 10
  },
  '10,000 awaited proofs': { make: (t) => written(t, 10000, 10), run: (feed) => loop(10000, (i) => feed.proof(i)), turns: 10 },
  'a read stream of 20,000 blocks': {
    make: (t) => written(t, 20000, 100),
    run: async (feed) => { for await (const block of feed.createReadStream()) assert.equal(block.length, 100) },
    turns: 10
  }
}

for (const [verb, { make, run, turns }] of Object.entries(VERBS)) {
  test(`the event loop turns beside ${verb}`, LIMIT, async (t) => {
    const feed = await make(t)
    const before = stepsSoFar()
    const counted = await countTurns(() => run(feed, t))
    const steps = stepsSoFar() - before
    assert(counted >= turns || steps <= FEW, `${counted} turns, at least ${turns} are asked for`)
  })

  test(`the core does a bounded number of steps a turn beside ${verb}`, LIMIT, async (t) => {
    const feed = await make(t)
    let [last, most] = [work().steps, 0]
    await countTurns(() => run(feed, t), () => {
      const { steps } = work()
      most = Math.max(most, steps - last)
      last = steps
    })
    assert(most <= STEPS_A_TURN, `${most} steps in one turn`)
  })
}

// ## Help

// NaN while the core does not count.
function stepsSoFar () {
  return hypercore[Symbol.for('hypercore.work')] ? work().steps : NaN
}

// Turns of the event loop from the start of `run` to its end.
async function countTurns (run, onturn = () => {}) {
  let count = 0
  let next = setImmediate(function turn () {
    count++
    onturn()
    next = setImmediate(turn)
  })
  try {
    await run()
  } finally {
    clearImmediate(next)
  }
  onturn()
  return count
}

async function loop (count, step) {
  for (let i = 0; i < count; i++) await step(i)
}

function empty (t) {
  return open(t, path.join(scratch(t), 'feed'))
}

// Opened again, so that no node is in a cache.
async function written (t, count, size) {
  const dir = path.join(scratch(t), 'feed')
  const feed = await open(t, dir)
  await fill(feed, count, size)
  await ask(feed, 'close')
  return open(t, dir)
}

function batch (t, count) {
  return written(t, count, 1)
}

async function lossy (t) {
  const count = 2 ** 18
  const dir = path.join(scratch(t), 'feed')
  const feed = await open(t, dir)
  await fill(feed, count, 1)
  await ask(feed, 'close')
  loseInnerNodes(path.join(dir, 'bitfield'), count)
  return open(t, dir)
}

async function huge (t) {
  const { key, block, proof } = hugeLog(23)
  const feed = await open(t, path.join(scratch(t), 'clone'), key, { sparse: true })
  await feed.put(0, block, proof)
  return feed
}

async function replicated (feed, t) {
  const clone = await open(t, hypercore.memory(), feed.key)
  const complete = new Promise((resolve) => {
    clone.on('sync', () => { if (clone.downloaded() === feed.length) resolve() })
  })
  link(t, feed, clone)
  await complete
}
