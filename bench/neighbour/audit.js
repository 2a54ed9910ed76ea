'use strict'
// An audit of a log on disk, and what is asked while it runs.

const path = require('node:path')
const { ask, fill, now, turn, longestHold } = require('./kit')

const MEBIBYTES = 256

module.exports = {
  rows: [
    { case: 'append', measure: 'ms', title: 'audit of 256 MiB: an append asked meanwhile is answered after', unit: 'ms', goal: 20, oursOnly: true },
    { case: 'append', measure: 'hold', title: 'the same: longest hold of the loop', unit: 'ms', goal: 4, oursOnly: true },
    { case: 'close', measure: 'ms', title: 'audit of 256 MiB: close, which ends it, is answered after', unit: 'ms', goal: 20, oursOnly: true }
  ],
  async measure ({ hypercore, dir, quick }, name) {
    const feed = hypercore(path.join(dir, 'feed'))
    await fill(feed, 16 * (quick ? MEBIBYTES / 4 : MEBIBYTES), 65536)
    return CASES[name](feed)
  }
}

const CASES = {
  async append (feed) {
    let ms
    let after // milliseconds until the audit ended, for those who look at the JSON
    const hold = await longestHold(async () => {
      const started = now()
      const audit = ask(feed, 'audit').then(() => { after = now() - started })
      await turn()
      ms = await timed(() => ask(feed, 'append', 'x'))
      await audit
    })
    return { ms, hold, audit: after }
  },

  async close (feed) {
    const audit = ask(feed, 'audit').then(() => 'finished', (err) => err.code || err.message)
    await turn()
    const ms = await timed(() => ask(feed, 'close'))
    return { ms, audit: await audit }
  }
}

async function timed (work) {
  const started = now()
  await work()
  return now() - started
}
