'use strict'
// One measurement in a process of its own: node bench/cases.js CASE ours|stock COUNT disk|ram
// FOLDER [SIZE] [SOURCE] Prints { seconds, memory }: the time of the measured part, and the most
// memory the process ever held, in MiB.

const path = require('node:path')
const ram = require('random-access-memory')

const CASES = {
  async appendOne (hypercore, count, place) {
    const feed = hypercore(place('feed'))
    const block = Buffer.alloc(100, 'x')
    await ask(feed, 'ready')
    return measure(async () => {
      for (let i = 0; i < count; i++) await ask(feed, 'append', block)
    })
  },

  async appendBatch (hypercore, count, place) {
    const feed = hypercore(place('feed'))
    const batch = Array.from({ length: 128 }, (_, i) => Buffer.alloc(512, i))
    await ask(feed, 'ready')
    return measure(async () => {
      for (let i = 0; i < count; i += 128) await ask(feed, 'append', batch)
    })
  },

  async get (hypercore, count, place) {
    const feed = hypercore(place('feed'))
    await fill(feed, count, 512)
    return measure(async () => {
      for (let i = 0; i < count; i++) await ask(feed, 'get', i)
    })
  },

  // Not measured: the directory that the replications read.
  async prepare (hypercore, count, place, size) {
    const feed = hypercore(place(''))
    await fill(feed, count, Number(size))
    await ask(feed, 'close')
    return 0
  },

  // From a directory that is there already, or from memory, where it is made here.
  async replicate (hypercore, count, place, size, source) {
    const writer = hypercore(source || place('feed'))
    await ask(writer, 'ready')
    if (!source) await fill(writer, count, Number(size))
    const reader = hypercore(place('clone'), writer.key)
    await ask(reader, 'ready')
    return measure(() => new Promise((resolve) => {
      reader.on('sync', () => { if (reader.downloaded() === count) resolve() })
      const stream = writer.replicate(true, { live: true })
      stream.pipe(reader.replicate(false, { live: true })).pipe(stream)
    }))
  }
}

// Where a case keeps its feeds.
const PLACES = {
  disk: (dir) => (name) => path.join(dir, name),
  ram: () => () => () => ram()
}

main(...process.argv.slice(2))

async function main (name, impl, count, where, dir, ...rest) {
  const hypercore = require(impl === 'stock' ? 'hypercore-9' : 'hypercore')
  const seconds = await CASES[name](hypercore, Number(count), PLACES[where](dir), ...rest)
  console.log(JSON.stringify({ seconds, memory: process.resourceUsage().maxRSS / 1024 }))
  process.exit(0)
}

async function measure (work) {
  const started = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - started) / 1e9
}

async function fill (feed, count, size) {
  const step = Math.min(count, Math.ceil((4 << 20) / size))
  for (let i = 0; i < count; i += step) {
    const length = Math.min(step, count - i)
    await ask(feed, 'append', Array.from({ length }, (_, j) => Buffer.alloc(size, `${i + j} `)))
  }
}

// The same wrapper for both, so that both pay the same for their promises.
function ask (object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (err, value) => err ? reject(err) : resolve(value))
  })
}
