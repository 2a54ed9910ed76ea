'use strict'
// One measurement in a process of its own: node bench/cases.js CASE ours|stock COUNT FOLDER
// Prints { seconds, memory }: the time of the measured part, and the most memory the process ever held, in MiB.

const path = require('node:path')

const CASES = {
  async appendOne (hypercore, count, dir) {
    const feed = hypercore(path.join(dir, 'feed'))
    const block = Buffer.alloc(100, 'x')
    await ask(feed, 'ready')
    return measure(async () => {
      for (let i = 0; i < count; i++) await ask(feed, 'append', block)
    })
  },

  async appendBatch (hypercore, count, dir) {
    const feed = hypercore(path.join(dir, 'feed'))
    const batch = Array.from({ length: 128 }, (_, i) => Buffer.alloc(512, i))
    await ask(feed, 'ready')
    return measure(async () => {
      for (let i = 0; i < count; i += 128) await ask(feed, 'append', batch)
    })
  },

  async get (hypercore, count, dir) {
    const feed = hypercore(path.join(dir, 'feed'))
    await fill(feed, count, 512)
    return measure(async () => {
      for (let i = 0; i < count; i++) await ask(feed, 'get', i)
    })
  },

  // Not measured: the directory that the replications read.
  async prepare (hypercore, count, dir, size) {
    const feed = hypercore(dir)
    await fill(feed, count, Number(size))
    await ask(feed, 'close')
    return 0
  },

  async replicate (hypercore, count, dir, source) {
    const writer = hypercore(source)
    await ask(writer, 'ready')
    const reader = hypercore(path.join(dir, 'clone'), writer.key)
    await ask(reader, 'ready')
    return measure(() => new Promise((resolve) => {
      reader.on('sync', () => { if (reader.downloaded() === count) resolve() })
      const stream = writer.replicate(true, { live: true })
      stream.pipe(reader.replicate(false, { live: true })).pipe(stream)
    }))
  }
}

main(...process.argv.slice(2))

async function main (name, impl, count, ...rest) {
  const hypercore = require(impl === 'stock' ? 'hypercore-9' : 'hypercore')
  const seconds = await CASES[name](hypercore, Number(count), ...rest)
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
