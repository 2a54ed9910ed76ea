'use strict'
// A download over a long line that carries everything: seconds.

const { ask, downloaded, reader, writer } = require('./kit')
const { connect } = require('./line')

const CASES = {
  small: { blocks: 5000, size: 16, title: '5,000 x 16 B over 75 ms one way', goal: 5000 / 3000 },
  large: { blocks: 2000, size: 16 * 1024, title: '2,000 x 16 KiB over 75 ms one way', goal: 2000 / 1300 }
}

module.exports = {
  rows: Object.entries(CASES).map(([name, { title, goal }]) => ({ case: name, measure: 's', title, unit: 's', goal })),
  async measure ({ hypercore, quick }, name) {
    const { size } = CASES[name]
    const blocks = CASES[name].blocks / (quick ? 4 : 1)
    const feed = await writer(hypercore, blocks, size)
    const clone = await reader(hypercore, feed.key, { sparse: false })
    const done = downloaded(clone, blocks)
    const started = performance.now()
    connect(feed.replicate(true, { live: true }), clone.replicate(false, { live: true }), { delay: 75 })
    await done
    const s = (performance.now() - started) / 1000
    await ask(clone, 'close')
    return { s }
  }
}
