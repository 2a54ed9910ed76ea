'use strict'
// A program that appends and reads in a loop of awaits, or keeps reads in flight, on disk: do its
// timers still come in time?

const path = require('node:path')
const { ask, call, fill, now, ticksDuring, delayDuring } = require('./kit')

const SECONDS = 2
const LATE = 10 // milliseconds
const BLOCKS = 1000

module.exports = {
  rows: [
    { case: 'pairs', measure: 'late', title: 'a loop of awaited append + get, disk: 1 ms ticks over 10 ms late', unit: '%', goal: 1 },
    { case: 'pairs', measure: 'p99', title: 'the same: event loop delay, p99', unit: 'ms', goal: 4 },
    { case: 'gets', measure: 'p99', title: '16 gets of 64 KiB in flight, disk: event loop delay, p99', unit: 'ms', goal: 4 },
    { case: 'appends', measure: 'p99', title: 'awaited appends of 100 B, disk: event loop delay, p99', unit: 'ms', goal: 4 }
  ],
  async measure ({ hypercore, isOurs, dir, quick }, name) {
    const feed = hypercore(path.join(dir, 'feed'))
    await ask(feed, 'ready')
    const until = (quick ? 0.5 : 1) * SECONDS * 1000
    return CASES[name](feed, until, isOurs ? call : ask)
  }
}

const CASES = {
  async pairs (feed, ms, ask) {
    const block = Buffer.alloc(100, 'x')
    let late
    const p99 = await delayDuring(async () => {
      ({ late } = await ticksDuring(() => during(ms, async () => ask(feed, 'get', await ask(feed, 'append', block)))))
    })
    return { late: 100 * late.filter((tick) => tick > LATE).length / late.length, ticks: late.length, p99 }
  },

  async gets (feed, ms, ask) {
    await fill(feed, BLOCKS, 65536)
    const one = (_, i) => {
      let index = i
      return during(ms, () => {
        index = (index + 617) % BLOCKS
        return ask(feed, 'get', index)
      })
    }
    return { p99: await delayDuring(() => Promise.all(Array.from({ length: 16 }, one))) }
  },

  async appends (feed, ms, ask) {
    const block = Buffer.alloc(100, 'x')
    return { p99: await delayDuring(() => during(ms, () => ask(feed, 'append', block))) }
  }
}

async function during (ms, step) {
  for (const end = now() + ms; now() < end;) await step()
}
