'use strict'
// A download of 500 x 1 KiB from a good peer, 5 ms away, beside one that answers nothing: seconds.

const { downloaded, reader, sleep, writer } = require('./kit')
const { connect } = require('./line')

const BLOCKS = 500

module.exports = {
  rows: [{ case: 'beside', measure: 's', title: '500 x 1 KiB, 5 ms, beside a peer that stalls', unit: 's', goal: 0.3 }],
  async measure ({ hypercore }) {
    const feed = await writer(hypercore, BLOCKS, 1024)
    const clone = await reader(hypercore, feed.key, { sparse: true })
    const [bad, good] = [0, 1].map(() => [feed.replicate(true, { live: true }), clone.replicate(false, { live: true })])
    const cut = connect(...bad, { delay: 5 })
    await heard(clone, 1)
    cut()
    connect(...bad, { isStalled: true })
    connect(...good, { delay: 5 })
    await heard(clone, 2)
    const done = downloaded(clone, BLOCKS)
    const started = performance.now()
    clone.download()
    await done
    return { s: (performance.now() - started) / 1000 }
  }
}

// When so many peers have told what they have.
async function heard (feed, peers) {
  while (feed.peers.filter((peer) => peer.remoteLength === BLOCKS).length < peers) {
    await sleep(1)
  }
}
