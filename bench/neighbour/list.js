'use strict'
// download({ blocks }) of a long list, in memory: microseconds a block.

const { ask, fill, memory, now, pipe } = require('./kit')

const STRIDE = 7919 // in no order

module.exports = {
  rows: [20000, 80000].map((blocks) => ({
    case: String(blocks),
    measure: 'us',
    title: `download of a list of ${blocks} blocks: a block`,
    unit: 'us',
    goal: null,
    flatTo: blocks === 20000 ? null : '20000'
  })),
  async measure ({ hypercore }, name) {
    const count = Number(name)
    const feed = hypercore(memory(hypercore))
    await fill(feed, count, 100)
    const reader = hypercore(memory(hypercore), feed.key, { sparse: true })
    await ask(reader, 'ready')
    pipe(feed, reader)
    await ask(reader, 'update')
    const blocks = Array.from({ length: count }, (_, i) => (i * STRIDE) % count)
    const started = now()
    await ask(reader, 'download', { blocks })
    return { us: 1000 * (now() - started) / count }
  }
}
