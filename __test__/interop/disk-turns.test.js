'use strict'
// Ours and hypercore 9 take turns at one directory. After each turn both see the same in it, and it
// has the bytes that hypercore 9 alone would have left.

const assert = require('node:assert/strict')
const path = require('node:path')
const ram = require('random-access-memory')
const { test, scratch, ask, link, until, sleep, block } = require('../helpers')
const { IMPLS, PAIR, use, view, sameDirectories, copy } = require('./same')

const TURNS = ['ours', 'stock', 'ours', 'ours', 'stock', 'stock', 'ours', 'stock']
const OWN = { secretKey: PAIR.secretKey }
// Stock calls back before the bitfield is written.
const WRITTEN = 30

test('turns at appending, clearing among them', { timeout: 60000 }, async (t) => {
  const dirs = [path.join(scratch(t), 'core'), path.join(scratch(t), 'core')]
  const work = async (feed, turn) => {
    const { length } = feed
    for (let i = 0; i <= turn; i++) await append(feed, (turn * 7 + i * 13) % 41)
    if (turn % 3 === 2) await ask(feed, 'clear', length >> 1, length)
    if (turn % 4 === 3) await ask(feed, 'clear', length + 1, length + 2)
    await append(feed, 1)
  }
  await takeTurns(t, dirs, [PAIR.publicKey, OWN], work)
})

test('turns at a log longer than one page of the bitfield', { timeout: 120000 }, async (t) => {
  const dirs = [path.join(scratch(t), 'core'), path.join(scratch(t), 'core')]
  await takeTurns(t, dirs, [PAIR.publicKey, OWN], (feed, turn) => append(feed, 2100 + turn), { turns: 4, look: 3 })
})

test('turns at a static feed, which keeps its key', async (t) => {
  for (const [first, second] of [['ours', 'stock'], ['stock', 'ours']]) {
    const dir = path.join(scratch(t), 'core')
    const feed = await use(t, first, dir, { live: false })
    await append(feed, 20)
    await ask(feed, 'finalize')
    await ask(feed, 'close')
    const again = await use(t, second, dir)
    assert.deepEqual([again.key, again.live, again.length], [feed.key, false, 20])
    await ask(again, 'close')
  }
})

for (const sparse of [true, false]) {
  test(`turns at downloading, ${sparse ? 'sparse, block by block' : 'everything there is'}`, { timeout: 60000 }, async (t) => {
    const writer = await use(t, 'stock', () => ram(), PAIR.publicKey, OWN)
    const dirs = [path.join(scratch(t), 'core'), path.join(scratch(t), 'core')]
    const work = async (feed, turn) => {
      if (writer.length < (turn + 1) * 60) await append(writer, 60)
      const [stream] = link(t, writer, feed)
      if (sparse) for (const i of order(turn, writer.length)) await ask(feed, 'get', i)
      else await until(() => feed.downloaded() === writer.length)
      await sleep(WRITTEN)
      stream.destroy()
    }
    await takeTurns(t, dirs, [PAIR.publicKey, { sparse }], work, { isExact: sparse })
  })
}

test('a holey clone is filled up by turns', async (t) => {
  const writer = await use(t, 'ours', () => ram(), PAIR.publicKey, OWN)
  await append(writer, 200)
  const dir = path.join(scratch(t), 'core')
  for (let turn = 0; turn < 8; turn++) {
    const feed = await use(t, TURNS[turn], dir, writer.key, { sparse: true })
    const [stream] = link(t, writer, feed)
    await ask(feed, 'download', { start: turn * 25 + 3, end: turn * 25 + 25 })
    if (turn % 2) await ask(feed, 'download', { start: (turn - 1) * 25, end: (turn + 1) * 25 })
    await sleep(WRITTEN)
    stream.destroy()
    const held = Array.from({ length: 200 }, (_, i) => feed.has(i))
    await ask(feed, 'close')
    await bothSee(t, dir, { length: 200, byteLength: writer.byteLength }, held)
  }
})

// The same work by turns in one directory and by stock alone in the other; from turn `look` on it
// is read, too. Downloads of many at once may bring other nodes and signatures: `isExact` is false
// then.
async function takeTurns (t, [shared, alone], args, work, { turns = TURNS.length, look = 0, isExact = true } = {}) {
  for (let turn = 0; turn < turns; turn++) {
    const note = `turn ${turn}, ${TURNS[turn]}`
    for (const [impl, dir] of [[TURNS[turn], shared], ['stock', alone]]) {
      const feed = await use(t, impl, dir, ...args)
      await work(feed, turn)
      await ask(feed, 'close')
    }
    if (isExact) sameDirectories(shared, alone, note)
    if (turn < look) continue
    const views = []
    for (const impl of Object.keys(IMPLS)) {
      for (const dir of [shared, alone]) views.push({ ...await viewOf(t, impl, dir), ...isExact ? {} : { signatures: null } })
    }
    for (const other of views.slice(1)) assert.deepEqual(other, views[0], note)
  }
}

async function viewOf (t, impl, dir) {
  const feed = await use(t, impl, copy(t, dir))
  const seen = await view(feed)
  await ask(feed, 'close')
  return seen
}

async function bothSee (t, dir, expected, held) {
  const [one, other] = [await viewOf(t, 'ours', dir), await viewOf(t, 'stock', dir)]
  assert.deepEqual(one, other)
  assert.deepEqual({ length: one.length, byteLength: one.byteLength }, expected)
  assert.deepEqual(one.audit, { valid: held.filter(Boolean).length, invalid: 0 })
}

// Blocks of this turn, not in order, none twice.
function order (turn, length) {
  return Array.from({ length: 12 }, (_, i) => (turn * 60 + i * 17) % length)
}

async function append (feed, count) {
  const { length } = feed
  await ask(feed, 'append', Array.from({ length: count }, (_, i) => block(length + i, 1 + (length + i) % 70)))
}
