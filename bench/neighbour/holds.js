'use strict'
// Calls that are long by nature, on disk, of one batch of a million blocks: for how long do they
// hold the event loop? A seek is long where inner nodes of the tree are lost: then the sizes of
// leaves are added up.

const path = require('node:path')
const { loseInnerNodes } = require('../../__test__/helpers/huge')
const { ask, longestHold, memory, pipe, sleep } = require('./kit')

const BLOCKS = 2 ** 20

module.exports = {
  rows: [
    { case: 'signature', measure: 'hold', title: 'signature(0) of one batch of 1,000,000 blocks: longest hold of the loop', unit: 'ms', goal: 4, oursOnly: true },
    { case: 'remote', measure: 'hold', title: 'a remote\'s byte-offset request, inner nodes lost: longest hold of the loop', unit: 'ms', goal: 4, oursOnly: true },
    { case: 'seek', measure: 'hold', title: 'seek that must read, inner nodes lost: longest hold of the loop', unit: 'ms', goal: 4, oursOnly: true }
  ],
  async measure ({ hypercore, dir, quick }, name) {
    const count = quick ? BLOCKS / 4 : BLOCKS
    const storage = path.join(dir, 'feed')
    const feed = hypercore(storage)
    await ask(feed, 'append', new Array(count).fill('x'))
    await ask(feed, 'close')
    if (name !== 'signature') loseInnerNodes(path.join(storage, 'bitfield'), count)
    const again = hypercore(storage) // nothing of it is in a cache
    await ask(again, 'ready')
    return { hold: await CASES[name](hypercore, again) }
  }
}

const CASES = {
  signature: (hypercore, feed) => longestHold(() => ask(feed, 'signature', 0)),

  // Both are in this process. What the remote would get cannot be proven, so it is not answered.
  async remote (hypercore, feed) {
    const clone = hypercore(memory(hypercore), feed.key, { sparse: true })
    await ask(clone, 'ready')
    pipe(feed, clone)
    return longestHold(async () => {
      await Promise.race([ask(clone, 'seek', feed.byteLength - 2), sleep(2000)])
    })
  },

  seek: (hypercore, feed) => longestHold(() => ask(feed, 'seek', feed.byteLength - 2))
}
