'use strict'
// An extension message to all peers of a log: microseconds a peer, of the call alone and until all
// have it.

const { ask, memory, now, pipe } = require('./kit')

const ROUNDS = 20
const ROWS = [['call', 'the call, a peer', 5], ['us', 'until it arrived, both ends in this process, a peer', null]]
const MESSAGE = Buffer.alloc(64, 'm')

module.exports = {
  rows: [200, 800].flatMap((peers) => ROWS.map(([measure, title, goal]) => ({
    case: String(peers),
    measure,
    title: `an extension message to ${peers} peers: ${title}`,
    unit: 'us',
    goal,
    flatTo: peers === 200 ? null : '200'
  }))),
  async measure ({ hypercore, quick }, name) {
    const count = Number(name)
    let arrived = 0
    let isThere
    const onmessage = () => { if (++arrived % count === 0) isThere() }
    const feed = hypercore(memory(hypercore))
    const extension = feed.registerExtension('bench', {})
    await ask(feed, 'ready')
    for (let i = 0; i < count; i++) await peer(hypercore, feed, onmessage)
    let call = 0
    const round = () => new Promise((resolve) => {
      isThere = resolve
      const started = now()
      extension.broadcast(MESSAGE)
      call += now() - started
    })
    await round()
    call = 0
    const rounds = quick ? ROUNDS / 5 : ROUNDS
    const started = now()
    for (let i = 0; i < rounds; i++) await round()
    const each = (ms) => 1000 * ms / count / rounds
    return { call: each(call), us: each(now() - started) }
  }
}

async function peer (hypercore, feed, onmessage) {
  const reader = hypercore(memory(hypercore), feed.key)
  reader.registerExtension('bench', { onmessage })
  await ask(reader, 'ready')
  const opened = new Promise((resolve) => feed.once('peer-open', resolve))
  pipe(feed, reader)
  await opened
}
