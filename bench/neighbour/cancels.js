'use strict'
// Gets that wait and are given up: by the caller (from the promise with ours, from the symbol with
// hypercore 9), or by their timeout. Microseconds of processor time a get, for the giving up alone.

const { ask, memory, sleep } = require('./kit')

const TIMEOUT = 1500 // milliseconds: all are asked for by then
const SPREAD = 300 // milliseconds between the first timeout and the last
const STRIDE = 7919 // the order is not that of the asking

module.exports = {
  rows: ['cancel', 'timeout'].flatMap((way) => [10000, 40000].map((gets) => ({
    case: `${way}-${gets}`,
    measure: 'us',
    title: `${gets} waiting gets ${way === 'cancel' ? 'are cancelled' : 'time out'}: a get`,
    unit: 'us',
    goal: null,
    flatTo: gets === 10000 ? null : `${way}-10000`
  }))),
  async measure ({ hypercore, isOurs }, name) {
    const [way, count] = name.split('-')
    const feed = hypercore(memory(hypercore), Buffer.alloc(32, 1), { sparse: true })
    await ask(feed, 'ready')
    const { handles, over } = wait(feed, Number(count), isOurs && way === 'cancel', way === 'timeout' ? TIMEOUT : 0)
    await sleep(way === 'timeout' ? 0 : 200)
    const before = process.cpuUsage()
    if (way === 'cancel') handles.forEach((_, i) => feed.cancel(handles[(i * STRIDE) % handles.length]))
    await over
    const { user, system } = process.cpuUsage(before)
    return { us: (user + system) / count }
  }
}

function wait (feed, count, promises, timeout) {
  if (promises) {
    const handles = Array.from({ length: count }, (_, i) => feed.get(i))
    return { handles, over: Promise.allSettled(handles) }
  }
  const handles = []
  const over = new Promise((resolve) => {
    let left = count
    for (let i = 0; i < count; i++) {
      const spread = Math.floor(SPREAD * ((i * STRIDE) % count) / count)
      handles.push(feed.get(i, { timeout: timeout && timeout + spread }, () => { if (--left === 0) resolve() }))
    }
  })
  return { handles, over }
}
