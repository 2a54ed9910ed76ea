'use strict'
// The process: what keeps it alive, what lets it go, worker threads, garbage.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const path = require('node:path')
const { hypercore, test, defer, scratch, open, ask, event, files } = require('./helpers')

const LIMIT = 15000
const PRELUDE = `
  const hypercore = require(${JSON.stringify(path.join(__dirname, 'helpers', 'hypercore.js'))})
  const ram = require(${JSON.stringify(require.resolve('random-access-memory'))})
  const dir = process.argv[1]
  const ok = (next) => (err, ...values) => { if (err) throw err; if (next) next(...values) }
  const join = (a, b, live) => {
    const one = a.replicate(true, { live })
    one.pipe(b.replicate(false, { live })).pipe(one)
  }
`

test('idle: an open feed does not keep the process alive', async (t) => {
  await exits(t, 'hypercore(dir + "/core").ready(ok(() => console.log("ready")))', 'ready')
})

test('idle: live replication with nothing left to do', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a')
    a.append(['x', 'y'], ok(() => {
      const b = hypercore(dir + '/b', a.key)
      b.on('sync', () => console.log('synced'))
      b.ready(ok(() => join(a, b, true)))
    }))
  `, 'synced')
})

test('idle: a get, an update, a download that nobody will answer', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a', Buffer.alloc(32, 1))
    a.get(7, () => console.log('never'))
    a.update(() => console.log('never'))
    a.download({ start: 0, end: 9 }, () => console.log('never'))
    a.ready(ok(() => console.log('ready')))
  `, 'ready')
})

test('busy: an append under way is finished', async (t) => {
  const dir = await exits(t, `
    const a = hypercore(dir + '/a')
    for (let i = 0; i < 100; i++) a.append(Buffer.alloc(1 << 16))
    a.append('last', ok((seq) => console.log(seq)))
  `, '100')
  assert.equal((await open(t, path.join(dir, 'a'))).length, 101)
})

test('busy: an append without callback, as the last line of a program', async (t) => {
  const dir = await exits(t, 'hypercore(dir + "/a").append(["x", "y"])', '')
  assert.equal((await open(t, path.join(dir, 'a'))).length, 2)
})

test('busy: replication in memory goes on to its end with nothing else alive', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a')
    a.append(Array.from({ length: 300 }, (_, i) => Buffer.alloc(i * 200)), ok(() => {
      const b = hypercore(dir + '/b', a.key)
      b.ready(ok(() => join(a, b, true)))
      b.on('sync', () => console.log(b.downloaded()))
    }))
  `, '300')
})

test('busy: a sparse get over live replication, as in the walkthrough', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a', { valueEncoding: 'utf-8' })
    a.append(['hello', 'world'], ok(() => {
      const b = hypercore(dir + '/b', a.key, { valueEncoding: 'utf-8', sparse: true, eagerUpdate: true })
      b.ready(ok(() => {
        join(a, b, true)
        b.get(1, ok((word) => console.log(word)))
      }))
    }))
  `, 'world')
})

test('busy: close is finished', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a')
    a.append('x', ok(() => a.close(ok(() => console.log('closed')))))
  `, 'closed')
})

test('process.exit in a callback, with work under way', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a')
    a.append('x', ok(() => {
      for (let i = 0; i < 50; i++) a.append(Buffer.alloc(1 << 18))
      console.log('leaving')
      process.exit(0)
    }))
  `, 'leaving')
})

test('an exception in a callback or listener is an ordinary uncaught exception', async (t) => {
  for (const place of ['a.ready(() => { throw new Error("mine") })', 'a.on("ready", () => { throw new Error("mine") })', 'a.append("x", () => { throw new Error("mine") })']) {
    await exits(t, `
      process.on('uncaughtException', (err) => { console.log(err.message); process.exit(0) })
      const a = hypercore(dir + '/a' + Math.random())
      ${place}
    `, 'mine')
  }
})

test('a throw in an append callback does not jam the queue', async (t) => {
  await exits(t, `
    process.on('uncaughtException', (err) => console.log(err.message))
    const a = hypercore(dir + '/a')
    a.append('x', () => { throw new Error('mine') })
    a.append('y', ok((seq) => {
      console.log(seq)
      a.append('z', ok(console.log))
    }))
  `, 'mine\n1\n2')
})

test('an error event without listener ends the process with that error', async (t) => {
  const result = await run(t, 'hypercore(dir + "/a", { createIfMissing: false })')
  assert.notEqual(result.code, 0)
  assert.match(result.stderr, /No hypercore is stored here/)
})

test('what fails without a callback stays silent', async (t) => {
  await exits(t, `
    const a = hypercore(dir + '/a', Buffer.alloc(32, 1))
    a.append('x')
    a.ready(ok(() => a.close(ok(() => { a.append('y'); a.clear(0); a.flush && console.log('alive') }))))
  `, 'alive')
})

test('loops of awaited calls let the event loop turn', { timeout: 60000 }, async (t) => {
  const ram = require('random-access-memory')
  for (const storage of [path.join(scratch(t), 'core'), hypercore.memory(), () => ram()]) {
    const feed = await open(t, storage)
    await feed.append(['a', 'b'])
    for (const call of [() => feed.append('x'), () => feed.get(0), () => feed.getBatch(0, 2), () => feed.seek(1), () => feed.clear(9, 10)]) {
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      const end = performance.now() + 3000
      const isOver = () => turns > 1 || performance.now() > end
      while (!isOver()) await call()
      clearInterval(timer)
      assert(turns > 1, `${turns} turns`)
    }
  }
})

test('worker threads: several environments load the addon, use it and end', async (t) => {
  await exits(t, `
    const { Worker } = require('worker_threads')
    const script = ${JSON.stringify(PRELUDE)} + \`
      const { workerData, parentPort } = require('worker_threads')
      const a = hypercore(workerData)
      a.append(['x', 'y'], ok(() => a.get(1, ok((block) => parentPort.postMessage(String(block))))))
    \`
    let left = 4
    for (let i = 0; i < 4; i++) {
      const worker = new Worker(script, { eval: true, workerData: dir + '/' + i })
      let said
      worker.on('message', (word) => { said = word; if (i === 3) worker.terminate() })
      worker.on('exit', () => { if (said === 'y' && --left === 0) console.log('all ended') })
    }
  `, 'all ended')
})

test('feeds dropped without close are collected', async (t) => {
  await exits(t, `
    let dropped = 0
    const registry = new FinalizationRegistry(() => dropped++)
    const one = (i) => new Promise((resolve) => {
      const a = hypercore(() => ram())
      registry.register(a, i)
      a.append('x', ok(resolve))
    })
    const main = async () => {
      for (let i = 0; i < 50; i++) await one(i)
      for (let i = 0; i < 20 && dropped < 45; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        global.gc()
      }
      console.log(dropped >= 45 ? 'collected' : dropped)
    }
    main()
  `, 'collected', ['--expose-gc'])
})

test('many cores opened and closed leave no descriptors behind', { skip: process.platform !== 'linux' && 'counts /proc/self/fd' }, async (t) => {
  await exits(t, `
    const fs = require('fs')
    const count = () => fs.readdirSync('/proc/self/fd').length
    let before = 0
    const next = (i) => {
      if (i === 10) before = count()
      if (i === 60) return console.log(count() <= before + 2 ? 'same' : before + ' ' + count())
      const a = hypercore(dir + '/' + i)
      a.append('x', ok(() => a.close(ok(() => {
        const b = hypercore(dir + '/' + i, Buffer.alloc(32, 1))
        b.on('error', () => b.close(() => next(i + 1)))
      }))))
    }
    next(0)
  `, 'same')
})

test('two processes: the second waits for the lock of the first, not for ever', async (t) => {
  const dir = scratch(t)
  const feed = await open(t, path.join(dir, 'a'))
  await ask(feed, 'append', 'x')
  await exits(t, `
    const a = hypercore(${JSON.stringify(path.join(dir, 'a'))})
    a.on('error', (err) => console.log(err.code))
  `, 'ELOCKED')
  assert.deepEqual(files(path.join(dir, 'a')).length, 6)
})

// Runs a program and checks that it ends by itself, well, having printed that.
async function exits (t, program, expected, flags) {
  const result = await run(t, program, flags)
  assert.equal(result.stderr, '')
  assert.equal(result.stdout.trim(), expected)
  assert.equal(result.signal, null, 'it did not end by itself')
  assert.equal(result.code, 0)
  return result.dir
}

async function run (t, program, flags = []) {
  const dir = scratch(t)
  const child = spawn(process.execPath, [...flags, '-e', PRELUDE + program, dir], { stdio: ['ignore', 'pipe', 'pipe'] })
  const killer = setTimeout(() => child.kill('SIGKILL'), LIMIT)
  defer(t, () => { clearTimeout(killer); child.kill('SIGKILL') })
  const out = { stdout: '', stderr: '', dir }
  for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => { out[name] += data })
  const [code, signal] = await event(child, 'close')
  clearTimeout(killer)
  return { ...out, code, signal }
}
