'use strict'
// Seeder x leecher over { ours, hypercore 9 }, two processes, a TCP socket, either side as the
// initiator: the cases of wire/cases.js.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const path = require('node:path')
const readline = require('node:readline')
const { test, defer, event } = require('../helpers')
const { PAIR, pairs } = require('./same')
const cases = require('./wire/cases')

const PEER = path.join(__dirname, 'wire', 'peer.js')
const LIMIT = { timeout: 60000 }

for (const name of Object.keys(cases)) {
  for (const [seeder, leecher] of pairs()) {
    // Stock with stock shows that the case is fair; once is enough.
    for (const initiator of seeder === 'stock' && leecher === 'stock' ? [true] : [true, false]) {
      test(`${name}: ${seeder} to ${leecher}, ${initiator ? 'seeder' : 'leecher'} starts`, LIMIT, async (t) => {
        const seed = peer(t, { impl: seeder, case: name, part: 'seed', initiator })
        const { port, key } = await seed.hello
        const leech = peer(t, { impl: leecher, case: name, part: 'leech', initiator: !initiator, port, key })
        seed.pass(leech)
        leech.pass(seed)
        const { seen = {} } = cases[name]
        const over = seed.seen.then((seen) => { leech.say('over'); return seen })
        assert.deepEqual(await Promise.all([over, leech.seen]), [seen.seed ?? null, seen.leech ?? null])
      })
    }
  }
}

for (const leecher of ['ours', 'stock']) {
  test(`one leecher, ${leecher}, and both as seeders at the same time`, LIMIT, async (t) => {
    const own = { publicKey: PAIR.publicKey.toString('hex'), secretKey: PAIR.secretKey.toString('hex') }
    const seeders = ['ours', 'stock'].map((impl) => peer(t, { impl, case: 'two seeders', part: 'seed', initiator: false, ...own }))
    const [one, other] = await Promise.all(seeders.map((seeder) => seeder.hello))
    const leech = peer(t, { impl: leecher, case: 'two seeders', part: 'leech', initiator: true, key: one.key, ports: [one.port, other.port] })
    const { length, from } = await leech.seen
    assert.equal(length, 300)
    assert(from.every((blocks) => blocks > 0), `each gave some: ${from}`)
  })
}

for (const chain of [['ours', 'stock', 'ours'], ['stock', 'ours', 'stock']]) {
  test(`a chain: ${chain.join(' to ')}`, LIMIT, async (t) => {
    const first = peer(t, { impl: chain[0], case: 'everything, live', part: 'seed', initiator: false })
    const source = await first.hello
    const middle = peer(t, { impl: chain[1], case: 'chain', part: 'middle', initiator: true, ...source })
    const { port, key } = await middle.hello
    const last = peer(t, { impl: chain[2], case: 'everything, live', part: 'leech', initiator: false, port, key })
    last.pass(first)
    assert.deepEqual(await Promise.all([first.seen, last.seen]), [null, null])
  })
}

// A process that plays one side: promises of what it says first and last.
function peer (t, task) {
  const child = spawn(process.execPath, [PEER, JSON.stringify(task)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const exit = event(child, 'exit')
  const waiting = {}
  const promise = (name) => new Promise((resolve, reject) => { waiting[name] = { resolve, reject } })
  const told = []
  const one = {
    hello: promise('hello'),
    seen: promise('seen'),
    say: (what) => child.stdin.write(JSON.stringify(what) + '\n'),
    pass (other) {
      one.other = other
      told.splice(0).forEach(other.say)
    }
  }
  for (const promise of [one.hello, one.seen]) promise.catch(() => {})
  let errors = ''
  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', (text) => { errors += text })
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    const { hello, seen, tell } = JSON.parse(line)
    if (hello !== undefined) waiting.hello.resolve(hello)
    if (seen !== undefined) waiting.seen.resolve(seen)
    if (tell !== undefined) one.other ? one.other.say(tell) : told.push(tell)
  })
  exit.then(() => Object.values(waiting).forEach(({ reject }) => reject(new Error(errors || 'it ended'))))
  defer(t, () => { child.kill(); return exit })
  return one
}
