'use strict'
// Somebody talks, others listen; nobody misses a word. What is said is a log: who was away, or lost
// the line, goes on where he was.
//   node chat.js talk ./talk PORT           every line of stdin is said to all who listen; prints the key
//   node chat.js listen ./heard KEY PORT    prints every line, also over broken lines and restarts; ends with ctrl-c

const fs = require('fs')
const net = require('net')
const path = require('path')
const readline = require('readline')
const hypercore = require('hypercore')

const RETRY = [100, 5000] // milliseconds: the first pause, the longest

const [mode, ...args] = process.argv.slice(2)
if (mode === 'talk') talk(...args)
else listen(...args)

async function talk (dir, port) {
  const core = hypercore(dir, { valueEncoding: 'json' })
  await core.ready()
  net.createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(core.replicate(false, { live: true })).pipe(socket)
  }).listen(Number(port), '127.0.0.1')
  console.log('key:', core.key.toString('hex'))

  for await (const text of readline.createInterface({ input: process.stdin })) {
    await core.append({ at: new Date().toISOString(), text })
  }
  // Silence is no end: listeners may still come.
}

async function listen (dir, key, port) {
  const core = hypercore(dir, key, { valueEncoding: 'json', sparse: true, eagerUpdate: true })
  await core.ready()
  connect(core, Number(port), RETRY[0])

  // Where we were is kept beside the log. Who is stopped between a line and its mark hears that
  // line again, and misses none.
  const mark = path.join(dir, 'heard')
  let next = fs.existsSync(mark) ? Number(fs.readFileSync(mark, 'utf8')) : 0
  for await (const { at, text } of core.createReadStream({ start: next, live: true })) {
    console.log(`${next} ${at.slice(11, 19)} ${text}`)
    fs.writeFileSync(mark + '.new', String(++next))
    fs.renameSync(mark + '.new', mark)
  }
}

// A line to the other side, made anew whenever it breaks.
function connect (core, port, pause) {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('connect', () => { pause = RETRY[0] })
  socket.on('error', () => {})
  socket.on('close', () => setTimeout(connect, pause, core, port, Math.min(2 * pause, RETRY[1])))
  socket.pipe(core.replicate(true, { live: true })).pipe(socket)
}
