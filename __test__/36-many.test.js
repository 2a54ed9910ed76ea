'use strict'
// Many: nothing costs more because there are more of others. Each situation is made at two sizes,
// one four times the other, and what the core does for one item is counted, in steps, not in time.

const assert = require('node:assert/strict')
const { hypercore, test, ask, event, fill } = require('./helpers')
const { work, workOf, assertFlat } = require('./helpers/work')
const { turns } = require('./helpers/beside')

// What never ends fails by this.
const LIMIT = { timeout: 60000 }
// An order that is not that of the indices: a prime that divides none of the sizes.
const STRIDE = 7919
const GROWTH = 4

// Counts a situation at both sizes: run(count, measure) makes it, and calls measure(name, items,
// work) for each part that is counted.
function many (title, most, run) {
  test(`${title}, ${most / GROWTH} and ${most}`, LIMIT, async () => {
    const counted = []
    for (const count of [most / GROWTH, most]) {
      const parts = new Map()
      await run(count, async (name, items, fn) => parts.set(name, await workOf(items, fn)))
      counted.push(parts)
    }
    const [small, large] = counted
    for (const name of small.keys()) assertFlat(small.get(name), large.get(name), name)
  })
}

many('peers of one feed', 1000, async (count, measure) => {
  const feed = hypercore(hypercore.memory())
  const received = { count: 0, all: () => {} }
  const extension = feed.registerExtension('many', {})
  await ask(feed, 'append', ['a', 'b'])
  const readers = await Promise.all(Array.from({ length: count }, () => reader(feed, received, count)))

  await measure('connecting, a peer', count, async () => {
    for (const one of readers) await joined(feed, one)
  })
  await measure('an append, a peer', count, async () => {
    const all = Promise.all(readers.map((one) => event(one.feed, 'download')))
    await ask(feed, 'append', 'c')
    await all
  })
  await measure('an extension message, a peer', count, async () => {
    const all = new Promise((resolve) => { received.all = resolve })
    extension.broadcast(Buffer.from('to all'))
    await all
  })
  await measure('an extension message to one of them', 1, async () => {
    const one = new Promise((resolve) => { readers[0].onmessage = resolve })
    feed.peers[0].extension(0, Buffer.from('to one'))
    await one
  })
  await measure('clear of a block of one of them, and having it again', 1, async () => {
    await ask(readers[0].feed, 'clear', 1)
    await ask(readers[0].feed, 'get', 1)
  })
  await turns(200)
  const before = work().steps
  await turns(1000)
  assert(work().steps - before < count, `${work().steps - before} steps while ${count} peers were idle`)
  await end([feed, ...readers.map((one) => one.feed)], readers.flatMap((one) => one.streams))
})

many('logs on one stream', 2000, async (count, measure) => {
  const writers = await Promise.all(Array.from({ length: count }, () => written(5)))
  const readers = await Promise.all(writers.map((feed) => opened(feed.key, {})))
  const synced = readers.map((feed) => complete(feed, 5))
  const streams = []
  await measure('replicating, a log', count, async () => {
    streams.push(join(writers, true), join(readers, false))
    streams[0].pipe(streams[1]).pipe(streams[0])
    await Promise.all(synced)
  })
  await measure('an append to one of them', 1, async () => {
    const arrived = event(readers[count >> 1], 'download')
    await ask(writers[count >> 1], 'append', 'more')
    await arrived
  })
  await end([...writers, ...readers], streams)
})

for (const way of ['by their symbols', 'by their promises', 'one range each']) {
  many(`cancels of waiting gets ${way}`, 40000, async (count, measure) => {
    const feed = await opened(Buffer.alloc(32, 1), { sparse: true })
    const { handles, over } = waiting(feed, count, way === 'by their promises')
    await measure('a cancel', count, async () => {
      for (let i = 0; i < count; i++) {
        const index = (i * STRIDE) % count
        feed.cancel(way === 'one range each' ? index : handles[index])
      }
      await over
    })
    await end([feed], [])
  })
}

many('waiting gets that an append answers', 100000, async (count, measure) => {
  const feed = await opened(undefined, {})
  await measure('asking and being answered, a get', count, async () => {
    const { over } = waiting(feed, count, false)
    await fill(feed, count, 1)
    await over
  })
  await end([feed], [])
})

many('blocks of a list that is downloaded', 80000, async (count, measure) => {
  const feed = await written(count)
  const one = await opened(feed.key, { sparse: true })
  const streams = pipe(feed, one)
  await ask(one, 'update')
  await measure('a block', count, () => ask(one, 'download', { blocks: Array.from({ length: count }, (_, i) => (i * STRIDE) % count) }))
  await end([feed, one], streams)
})

// ## Help

async function opened (key, opts) {
  const feed = hypercore(hypercore.memory(), key, opts)
  await ask(feed, 'ready')
  return feed
}

async function written (count) {
  const feed = await opened(undefined, {})
  await fill(feed, count, 10)
  return feed
}

// A reader that counts the messages it is sent, in `received` and by `onmessage`.
async function reader (feed, received, count) {
  const one = { feed: null, streams: [], onmessage: () => {} }
  one.feed = await opened(feed.key, {})
  one.feed.registerExtension('many', {
    onmessage () {
      one.onmessage()
      if (++received.count === count) received.all()
    }
  })
  return one
}

async function joined (feed, one) {
  const done = complete(one.feed, 2)
  one.streams = pipe(feed, one.feed)
  await done
}

function complete (feed, count) {
  return new Promise((resolve) => {
    feed.on('sync', function check () {
      if (feed.downloaded() < count) return
      feed.removeListener('sync', check)
      resolve()
    })
  })
}

function pipe (a, b) {
  const [one, other] = [a.replicate(true, { live: true }), b.replicate(false, { live: true })]
  one.pipe(other).pipe(one)
  return [one, other]
}

function join ([first, ...others], initiator) {
  const stream = first.replicate(initiator, { live: true })
  for (const feed of others) feed.replicate(initiator, { live: true, stream })
  return stream
}

// `count` gets of blocks that are not here, and when all of them are over.
function waiting (feed, count, promises) {
  if (promises) {
    const handles = Array.from({ length: count }, (_, i) => feed.get(i))
    return { handles, over: Promise.allSettled(handles) }
  }
  const handles = []
  const over = new Promise((resolve) => {
    let left = count
    for (let i = 0; i < count; i++) handles.push(feed.get(i, () => { if (--left === 0) resolve() }))
  })
  return { handles, over }
}

async function end (feeds, streams) {
  for (const stream of streams) stream.on('error', () => {}).destroy()
  await Promise.all(feeds.map((feed) => ask(feed, 'close')))
}
