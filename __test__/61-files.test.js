'use strict'
// Files: how many of them many logs keep open, and that what was shut is found again.

const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const hypercore = require('..')
const { ask, scratch, test, defer } = require('./helpers')

const MAX = 8

test('many logs keep few files open, and all of them their blocks', async (t) => {
  const dir = scratch(t)
  const before = descriptors(dir)
  hypercore.engine({ maxFiles: MAX })
  const logs = Array.from({ length: 60 }, (_, i) => hypercore(path.join(dir, `log-${i}`)))
  for (let round = 0; round < 3; round++) {
    await Promise.all(logs.map((log, i) => ask(log, 'append', [`${i} ${round} a`, `${i} ${round} b`])))
    for (const [i, log] of logs.entries()) {
      assert.strictEqual((await ask(log, 'get', 2 * round)).toString(), `${i} ${round} a`)
    }
    assert(hypercore.engine().openFiles <= MAX, `${hypercore.engine().openFiles} files`)
    if (before !== null) assert(descriptors(dir) <= logs.length + MAX, `${descriptors(dir)} descriptors`)
  }
  for (const [i, log] of logs.entries()) {
    const blocks = await ask(log, 'getBatch', 0, 6)
    assert.deepStrictEqual(blocks.map(String), [0, 1, 2].flatMap((round) => [`${i} ${round} a`, `${i} ${round} b`]))
  }
  await Promise.all(logs.map((log) => ask(log, 'close')))
  assert.strictEqual(hypercore.engine().openFiles, 0)
  assert.strictEqual(descriptors(dir), before)
})

test('they are replicated while others take their files', async (t) => {
  const dir = scratch(t)
  hypercore.engine({ maxFiles: 2 })
  const pairs = []
  for (let i = 0; i < 6; i++) {
    const writer = hypercore(path.join(dir, `writer-${i}`))
    await ask(writer, 'append', Array.from({ length: 200 }, (_, block) => `${i} ${block}`))
    const reader = hypercore(path.join(dir, `reader-${i}`), writer.key)
    await ask(reader, 'ready')
    pairs.push({ writer, reader, here: new Promise((resolve) => reader.once('sync', resolve)) })
  }
  for (const { writer, reader } of pairs) {
    const stream = writer.replicate(true, { live: true })
    stream.pipe(reader.replicate(false, { live: true })).pipe(stream)
  }
  await Promise.all(pairs.map(({ here }) => here))
  for (const [i, { reader }] of pairs.entries()) assert.strictEqual((await ask(reader, 'get', 199)).toString(), `${i} 199`)
  assert(hypercore.engine().openFiles <= 2)
  await Promise.all(pairs.flatMap(({ writer, reader }) => [ask(writer, 'close'), ask(reader, 'close')]))
})

test('a file that was shut is found from wherever the program has gone', async (t) => {
  const dir = scratch(t)
  const home = process.cwd()
  defer(t, () => process.chdir(home))
  process.chdir(dir)
  const log = hypercore('log')
  await ask(log, 'append', ['a', 'b'])
  process.chdir(home)
  await shutAll(t)
  assert.strictEqual((await ask(log, 'get', 1)).toString(), 'b')
  await shutAll(t)
  await ask(log, 'append', 'c')
  await ask(log, 'close')
  const again = hypercore(path.join(dir, 'log'))
  assert.strictEqual((await ask(again, 'get', 2)).toString(), 'c')
  await ask(again, 'close')
})

test('a file that was removed while it was shut is not made anew', async (t) => {
  const dir = path.join(scratch(t), 'log')
  const log = hypercore(dir)
  await ask(log, 'append', ['a', 'b'])
  await shutAll(t)
  fs.rmSync(path.join(dir, 'data'))
  await assert.rejects(ask(log, 'append', 'c'), { code: 'ENOENT' })
  await assert.rejects(ask(log, 'get', 0), { code: 'ENOENT' })
  assert(!fs.existsSync(path.join(dir, 'data')))
  assert.strictEqual(log.length, 2)
  await ask(log, 'close')
})

test('a file that was replaced while it was shut is left alone', async (t) => {
  const dir = path.join(scratch(t), 'log')
  const log = hypercore(dir)
  await ask(log, 'append', ['a', 'b'])
  await shutAll(t)
  fs.renameSync(dir, dir + '-before')
  const other = hypercore(dir)
  await ask(other, 'append', ['x', 'y', 'z'])
  await ask(other, 'close')
  const before = fs.readFileSync(path.join(dir, 'data'), 'utf8')
  if (process.platform !== 'win32') {
    await assert.rejects(ask(log, 'append', 'c'), { code: 'ENOENT' })
    await assert.rejects(ask(log, 'get', 1), { code: 'ENOENT' })
  }
  assert.strictEqual(fs.readFileSync(path.join(dir, 'data'), 'utf8'), before)
  await ask(log, 'close')
})

test('a number of files that cannot be is refused, and changes nothing', () => {
  hypercore.engine({ maxFiles: MAX })
  for (const maxFiles of [0, -1, 1.5, NaN, Infinity, '8', null, 2 ** 53, 8n]) {
    assert.throws(() => hypercore.engine({ maxFiles }), { code: 'EBADARGUMENT' })
  }
  assert.strictEqual(hypercore.engine().maxFiles, MAX)
})

// Another log takes the room of all files that are open.
async function shutAll (t) {
  hypercore.engine({ maxFiles: 1 })
  const other = hypercore(path.join(scratch(t), 'other'))
  await ask(other, 'append', 'x')
  await ask(other, 'get', 0)
  await ask(other, 'close')
  assert.strictEqual(hypercore.engine().openFiles, 0)
}

// How many are open below a folder; null where the system does not say.
function descriptors (dir) {
  if (process.platform !== 'linux') return null
  return fs.readdirSync('/proc/self/fd').filter((fd) => isBelow(dir, fd)).length
}

function isBelow (dir, fd) {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir)
  } catch {
    return false
  }
}
