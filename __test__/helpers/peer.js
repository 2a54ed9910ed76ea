'use strict'
// One of two processes that replicate over TCP. Its task is the JSON in argv[2]: { impl: 'ours' |
// 'stock', role: 'writer' | 'reader', dir, initiator, sparse, key, port, count } A writer prints {
// port, key } and serves until its stdin ends. A reader fetches, checks every block, and prints {
// length, byteLength }.

const net = require('node:net')
const { ask, block } = require('./index')

const task = JSON.parse(process.argv[2])
const hypercore = task.impl === 'stock' ? require('hypercore-9') : require('./hypercore')

main().catch((err) => {
  console.error(err)
  process.exit(1)
})

function main () {
  return task.role === 'writer' ? write() : read()
}

async function write () {
  const feed = hypercore(task.dir)
  await ask(feed, 'ready')
  const server = net.createServer((socket) => join(feed, socket))
  server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port, key: feed.key.toString('hex') })))
  process.stdin.resume().on('end', () => process.exit(0))
}

async function read () {
  const feed = hypercore(task.dir, task.key, { sparse: task.sparse })
  await ask(feed, 'ready')
  const socket = net.connect(task.port, '127.0.0.1')
  join(feed, socket)
  const order = Array.from({ length: task.count }, (_, i) => (i * 1009) % task.count)
  if (!task.sparse) await ask(feed, 'download', { start: 0, end: task.count })
  // At most 40 at a time: a reader with all of them open would not be sparse.
  for (let i = 0; i < order.length; i += 40) await Promise.all(order.slice(i, i + 40).map((index) => check(feed, index)))
  console.log(JSON.stringify({ length: feed.length, byteLength: feed.byteLength, downloaded: feed.downloaded() }))
  // The acknowledged download is on disk only after stock's next turn.
  setTimeout(() => { feed.close(() => socket.destroy()) }, 200)
}

async function check (feed, index) {
  const data = await ask(feed, 'get', index, { wait: task.sparse })
  if (!data.equals(block(index))) throw new Error(`block ${index} has other bytes`)
}

function join (feed, socket) {
  const stream = feed.replicate(task.initiator, { live: true })
  socket.on('error', () => {})
  stream.on('error', () => {})
  socket.pipe(stream).pipe(socket)
}
