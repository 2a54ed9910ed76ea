'use strict'
// One log with many live peers and nothing to do: how much of a core does that take? All are in
// this process, pairs of streams in memory, so both ends of each connection are counted. Each peer
// is a log of its own.

const { ask, memory, pipe, sleep, turn } = require('./kit')

const SECONDS = 4

module.exports = {
  rows: [200, 800, 1000].map((peers) => ({
    case: String(peers),
    measure: 'percent',
    title: `idle, one log with ${peers} live peers (pairs in one process): share of a core`,
    unit: '%',
    goal: 2
  })),
  async measure ({ hypercore, quick }, name) {
    const feed = hypercore(memory(hypercore))
    await ask(feed, 'append', ['a', 'b', 'c'])
    const count = Number(name)
    for (let i = 0; i < count; i++) {
      const reader = hypercore(memory(hypercore), feed.key)
      await ask(reader, 'ready')
      const synced = new Promise((resolve) => reader.once('sync', resolve))
      pipe(feed, reader)
      await synced
    }
    await quiet()
    const seconds = quick ? SECONDS / 2 : SECONDS
    const before = process.cpuUsage()
    await sleep(1000 * seconds)
    const { user, system } = process.cpuUsage(before)
    return { percent: (user + system) / 1e4 / seconds }
  }
}

// What the connections left behind is over: messages, garbage.
async function quiet () {
  for (let i = 0; i < 100; i++) await turn()
  await sleep(2000)
}
