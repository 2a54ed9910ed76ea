'use strict'
// Many small logs over one stream: what does one more cost? From the first `replicate` until all
// are there.

const { ask, memory, now } = require('./kit')

const BLOCKS = 5

module.exports = {
  rows: [500, 2000].map((logs) => ({
    case: String(logs),
    measure: 'ms',
    title: `${logs} logs of 5 blocks over one stream: a log`,
    unit: 'ms',
    goal: 0.8,
    flatTo: logs === 500 ? null : '500'
  })),
  async measure ({ hypercore }, name) {
    const count = Number(name)
    const writers = await Promise.all(Array.from({ length: count }, () => writer(hypercore)))
    const readers = writers.map((feed) => hypercore(memory(hypercore), feed.key))
    await Promise.all(readers.map((feed) => ask(feed, 'ready')))
    const started = now()
    const synced = readers.map(complete)
    const [one, other] = [join(writers, true), join(readers, false)]
    one.pipe(other).pipe(one)
    await Promise.all(synced)
    return { ms: (now() - started) / count }
  }
}

async function writer (hypercore) {
  const feed = hypercore(memory(hypercore))
  await ask(feed, 'append', Array.from({ length: BLOCKS }, (_, i) => `block ${i}`))
  return feed
}

function join ([first, ...others], initiator) {
  const stream = first.replicate(initiator, { live: true })
  for (const feed of others) feed.replicate(initiator, { live: true, stream })
  return stream
}

function complete (reader) {
  return new Promise((resolve) => {
    reader.on('sync', () => { if (reader.downloaded() === BLOCKS) resolve() })
  })
}
