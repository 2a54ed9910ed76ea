'use strict'
// What the situations share: a writer with blocks, a reader, and when it has them all.

const { ask, fill, memory, sleep } = require('../neighbour/kit')

module.exports = { ask, downloaded, reader, sleep, writer }

async function writer (hypercore, blocks, size) {
  const feed = hypercore(memory(hypercore))
  await fill(feed, blocks, size)
  return feed
}

async function reader (hypercore, key, options) {
  const feed = hypercore(memory(hypercore), key, options)
  await ask(feed, 'ready')
  return feed
}

function downloaded (feed, count) {
  let left = count
  return new Promise((resolve) => feed.on('download', () => { if (--left === 0) resolve() }))
}
