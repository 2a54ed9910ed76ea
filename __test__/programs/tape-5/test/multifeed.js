'use strict'
// multifeed 6 and kappa-core 7 come without tests: two groups of writers find each other's logs on
// one stream, and an index over all of them.

const test = require('tape')
const ram = require('random-access-memory')
const multifeed = require('multifeed')
const kappa = require('kappa-core')
const view = require('kappa-view')
const memdb = require('memdb')

const COUNT = 50
const KEY = Buffer.alloc(32, 3)

// The first result of a call with a callback.
function ask (object, method, ...args) {
  return new Promise((resolve, reject) => object[method](...args, (err, value) => err ? reject(err) : resolve(value)))
}

async function until (check) {
  while (!await check()) await new Promise((resolve) => setTimeout(resolve, 10))
}

function link (a, b) {
  const stream = a.replicate(true, { live: true })
  stream.pipe(b.replicate(false, { live: true })).pipe(stream)
  return stream
}

test('multifeed: two groups, three logs, one stream, live', async (t) => {
  const [a, b] = [1, 2].map(() => multifeed(ram, { encryptionKey: KEY, valueEncoding: 'json' }))
  await Promise.all([ask(a, 'ready'), ask(b, 'ready')])
  const writers = [await ask(a, 'writer', 'one'), await ask(a, 'writer', 'two'), await ask(b, 'writer', 'one')]
  for (const writer of writers) {
    for (let i = 0; i < COUNT; i++) await ask(writer, 'append', { i })
  }
  const stream = link(a, b)
  await until(() => [a, b].every((group) => group.feeds().length === 3 && group.feeds().every((feed) => feed.downloaded() === COUNT)))
  for (const group of [a, b]) {
    for (const feed of group.feeds()) t.same(await ask(feed, 'get', COUNT - 1), { i: COUNT - 1 })
  }
  await ask(writers[2], 'append', { late: true })
  const there = a.feed(writers[2].key)
  await until(() => there.length > COUNT && there.has(COUNT))
  t.same(await ask(there, 'get', COUNT), { late: true }, 'a block appended later')
  stream.destroy()
  await Promise.all([ask(a, 'close'), ask(b, 'close')])
})

// A kappa with a view that adds up all numbers.
function adder () {
  const core = kappa(ram, { valueEncoding: 'json' })
  core.use('sum', view(memdb(), (db) => ({
    map (messages, next) {
      db.get('sum', (err, sum) => {
        const more = messages.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : 0), 0)
        db.put('sum', String(more + (err ? 0 : Number(sum))), next)
      })
    },
    api: {
      get (core, cb) {
        this.ready(() => db.get('sum', (err, sum) => cb(null, err ? 0 : Number(sum))))
      }
    }
  })))
  return core
}

test('kappa-core: an index over the logs of both sides', async (t) => {
  const [a, b] = [adder(), adder()]
  for (const core of [a, b]) {
    const writer = await ask(core, 'writer', 'one')
    for (let i = 1; i <= COUNT; i++) await ask(writer, 'append', i)
  }
  const stream = link(a, b)
  const sum = COUNT * (COUNT + 1)
  for (const core of [a, b]) await until(async () => await ask(core.api.sum, 'get') === sum)
  t.pass(`both add up to ${sum}`)
  stream.destroy()
})
