'use strict'
// clear(0, length) of a sparse clone of 8 Mi blocks that holds one of them.

const path = require('node:path')
const { hugeLog } = require('../../__test__/helpers/huge')
const { ask, longestHold } = require('./kit')

const DEPTH = 23

module.exports = {
  rows: [
    { case: 'clear', measure: 'hold', title: 'clear(0, length) of a sparse clone of 8 Mi blocks holding one: longest hold of the loop', unit: 'ms', goal: 1 }
  ],
  async measure ({ hypercore, dir }) {
    const { key, block, proof } = hugeLog(DEPTH)
    const feed = hypercore(path.join(dir, 'clone'), key, { sparse: true })
    await ask(feed, 'ready')
    await ask(feed, 'put', 0, block, proof)
    return { hold: await longestHold(() => ask(feed, 'clear', 0, feed.length)) }
  }
}
