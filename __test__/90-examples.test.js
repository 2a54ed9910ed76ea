'use strict'
// The walkthrough and the examples, as a person would run them: processes of their own, ended by
// themselves or by us.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { test, defer, scratch, event, until, sleep } = require('./helpers')

const EXAMPLES = path.join(__dirname, '..', 'examples')
const WALKTHROUGH = path.join(__dirname, '..', 'walkthrough')
const LIMIT = { timeout: 60000 }

test('the walkthrough, step by step, in one folder', LIMIT, async (t) => {
  const cwd = scratch(t)
  const step = async (name) => (await ends(runIn(t, cwd, path.join(WALKTHROUGH, name)))).lines
  assert.deepEqual((await step('step-1.js')).slice(1), ['Appended blocks 0 and 1, the log has 2 blocks now', 'First block: hello', 'Second block: world'])
  assert.deepEqual(await step('step-2.js'), [
    'First clone block: hello',
    'Second clone block: world',
    'The log has 102 blocks, the clone knows of 102',
    'Last clone block: block 99',
    'The clone holds 3 blocks'
  ])
  assert.deepEqual(await step('step-3.js'), [
    'Updates seen: 1, blocks fetched of the new ones: 0',
    ...['one', 'two', 'three', 'the end'].map((block) => `Live: ${block}`),
    'Blocks fetched of the new ones: 4'
  ])
})

test('the walkthrough as programs for hypercore 9 are written, with hypercore-promisifier', LIMIT, async (t) => {
  const cwd = scratch(t)
  const step = async (name) => (await ends(runIn(t, cwd, path.join(WALKTHROUGH, 'promisifier', name)))).lines
  assert.deepEqual(await step('step-1.js'), ['First block: hello', 'Second block: world'])
  assert.deepEqual(await step('step-2.js'), ['First clone block: hello', 'Second clone block: world', 'The log has 102 blocks, the clone knows of 102'])
})

test('hyperbee', LIMIT, async (t) => {
  const { lines } = await ends(run(t, 'hyperbee.js'))
  assert.deepEqual(lines, [
    'fruit/apple: red',
    'version: 1004',
    'number/0500 on the clone: 500',
    'blocks fetched for it: 15 of 1004',
    'in range: fruit/apple',
    'in range: fruit/banana',
    'now: green',
    'then: red',
    'history: 1004 put fruit/apple',
    'history: 1003 put number/0999'
  ])
})

test('many feeds on one stream, found by discovery key', LIMIT, async (t) => {
  const { lines } = await ends(run(t, 'many-feeds.js'))
  assert.deepEqual(lines, [
    'apples: all about apples',
    'pears: all about pears',
    'plums: all about plums',
    '4 logs on one stream',
    'one is not in the library'
  ])
})

test('a server and a client over a socket; the client comes back for more', LIMIT, async (t) => {
  const dir = scratch(t)
  const server = run(t, 'net-server.js', path.join(dir, 'log'))
  const { key, port } = JSON.parse(await line(server, 0))
  for (let i = 0; i < 30; i++) server.child.stdin.write(`line ${i}\n`)
  const args = [path.join(dir, 'copy'), key, String(port)]
  // The lines are on their way.
  await until(async () => (await ends(run(t, 'net-client.js', ...args, '1'))).lines[0] === '29: line 29')
  const { lines } = await ends(run(t, 'net-client.js', ...args, '3'))
  assert.deepEqual(lines.slice(0, 3), ['27: line 27', '28: line 28', '29: line 29'])
  server.child.stdin.write('one more\n')
  await until(async () => (await ends(run(t, 'net-client.js', ...args, '1'))).lines[0] === '30: one more')
  server.child.stdin.end()
  await ends(server)
})

test('two processes find each other through Hyperswarm, on a DHT on loopback', LIMIT, async (t) => {
  const { lines } = await ends(run(t, 'swarm.js'))
  assert.deepEqual(lines, ['found in the swarm'])
})

test('a log on a web server, read range by range', LIMIT, async (t) => {
  const { lines } = await ends(run(t, 'http-storage.js', path.join(scratch(t), 'log')))
  assert.deepEqual(lines, ['block 300: line 300', 'byte 1000 is in block 138', 'writable: false', 'replicated: line 7'])
})

test('chat: nothing is missed, over broken lines, and restarts of either side', LIMIT, async (t) => {
  const dir = scratch(t)
  const port = await freePort()
  const talk = () => run(t, 'chat.js', 'talk', path.join(dir, 'talk'), String(port))
  let talker = talk()
  const key = (await line(talker, 0)).slice('key: '.length)
  const wire = await cuttable(t, port)
  const listen = () => run(t, 'chat.js', 'listen', path.join(dir, 'heard'), key, String(wire.port))
  let listener = listen()

  talker.child.stdin.write('one\ntwo\n')
  assert.match(await line(listener, 1), /^1 \d\d:\d\d:\d\d two$/)

  wire.cut()
  talker.child.stdin.write('three\n')
  assert.match(await line(listener, 2), /^2 .* three$/)

  await until(() => fs.readFileSync(path.join(dir, 'heard', 'heard'), 'utf8') === '3')
  await stop(listener)
  talker.child.stdin.write('four\n')
  listener = listen()
  assert.match(await line(listener, 0), /^3 .* four$/)

  await stop(talker)
  talker = talk()
  await line(talker, 0)
  talker.child.stdin.write('five\n')
  assert.match(await line(listener, 1), /^4 .* five$/)
  assert.equal(listener.lines.length, 2)
})

// An example under way: its lines so far.
function run (t, name, ...args) {
  return runIn(t, scratch(t), path.join(EXAMPLES, name), ...args)
}

function runIn (t, cwd, file, ...args) {
  // A group of its own, since some start other processes.
  const child = spawn(process.execPath, [file, ...args], { cwd, detached: true })
  const running = { child, lines: [], errors: '', exit: event(child, 'exit') }
  let rest = ''
  child.stdin.on('error', () => {})
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()
    running.lines.push(...parts)
  })
  child.stderr.setEncoding('utf8').on('data', (text) => { running.errors += text })
  defer(t, () => stop(running))
  return running
}

async function ends (running) {
  const [status, signal] = await running.exit
  assert.deepEqual([status, signal], [0, null], running.errors)
  return running
}

async function stop ({ child, exit }) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (err) {
    if (err.code !== 'ESRCH') throw err
  }
  await exit
}

// Its line number `i`, from 0, once it is there.
async function line (running, i) {
  while (running.lines.length <= i) {
    const [status] = await Promise.race([running.exit, sleep(10).then(() => ['running'])])
    if (status !== 'running') assert.fail(`it ended with ${status}: ${running.errors}`)
  }
  return running.lines[i]
}

async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await event(server, 'listening')
  const { port } = server.address()
  server.close()
  await event(server, 'close')
  return port
}

// A wire to `port` that can be cut; who connects again gets a new one.
async function cuttable (t, port) {
  const ends = new Set()
  const server = net.createServer((socket) => {
    const other = net.connect(port, '127.0.0.1')
    for (const [one, two] of [[socket, other], [other, socket]]) {
      ends.add(one)
      one.on('error', () => {})
      one.on('close', () => { ends.delete(one); two.destroy() })
    }
    socket.pipe(other).pipe(socket)
  }).listen(0, '127.0.0.1')
  await event(server, 'listening')
  const cut = () => ends.forEach((end) => end.destroy())
  defer(t, () => { server.close(); cut() })
  return { port: server.address().port, cut }
}
