'use strict'
// What gives much back at once: a clear of a huge and nearly empty clone, one of 512 MiB, and the
// removal of the files.

const path = require('node:path')
const { hugeLog } = require('../../__test__/helpers/huge')
const { ask, fill, longestHold } = require('./kit')

const DEPTH = 23
const MEBIBYTES = 512

module.exports = {
  rows: [
    { case: 'sparse', measure: 'hold', title: 'clear(0, length) of a sparse clone of 8 Mi blocks holding one: longest hold of the loop', unit: 'ms', goal: 1 },
    { case: 'full', measure: 'hold', title: `clear of ${MEBIBYTES} MiB on disk: longest hold of the loop`, unit: 'ms', goal: 4 },
    { case: 'destroy', measure: 'hold', title: `destroyStorage of ${MEBIBYTES} MiB: longest hold of the loop`, unit: 'ms', goal: 4 }
  ],
  async measure (given, name) {
    return { hold: await CASES[name](given) }
  }
}

const CASES = {
  async sparse ({ hypercore, dir }) {
    const { key, block, proof } = hugeLog(DEPTH)
    const feed = hypercore(path.join(dir, 'clone'), key, { sparse: true })
    await ask(feed, 'ready')
    await ask(feed, 'put', 0, block, proof)
    return longestHold(() => ask(feed, 'clear', 0, feed.length))
  },

  async full (given) {
    const feed = await filled(given)
    return longestHold(() => ask(feed, 'clear', 0, feed.length))
  },

  async destroy (given) {
    const feed = await filled(given)
    return longestHold(() => ask(feed, 'destroyStorage'))
  }
}

async function filled ({ hypercore, dir, quick }) {
  const feed = hypercore(path.join(dir, 'feed'))
  await fill(feed, 16 * (quick ? MEBIBYTES / 8 : MEBIBYTES), 65536)
  return feed
}
