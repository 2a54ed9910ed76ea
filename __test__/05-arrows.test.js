'use strict'
// The rooms of lib/: who may name whom, no cycles, sizes that can be read aloud. Its twin for src/
// is rust/arrows.rs.

const test = require('node:test')
const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')
const ts = require('typescript')

const ROOT = path.join(__dirname, '..')
const LIB = path.join(ROOT, 'lib')

// What a room may name beside itself. '' is lib/ itself, where the build puts native.js.
const ROOMS = {
  kit: [],
  core: ['kit', ''],
  stream: ['core', 'kit'],
  storage: ['core', 'kit'],
  feed: ['stream', 'storage', 'core', 'kit']
}
const FILE_LINES = 400
const FUNCTION_LINES = 50

const files = Object.keys(ROOMS).flatMap((room) => {
  return fs.readdirSync(path.join(LIB, room)).filter((name) => name.endsWith('.js')).map((name) => `${room}/${name}`)
})

test('lib/ has the rooms that are named here, and nothing beside them but what the build makes', () => {
  const names = fs.readdirSync(LIB).filter((name) => !name.startsWith('native.') && !name.endsWith('.node'))
  assert.deepStrictEqual(names.sort(), Object.keys(ROOMS).sort())
})

test('arrows fall: feed -> stream, storage -> core -> kit', () => {
  const rising = files.flatMap((file) => named(file).filter((other) => {
    const [from, to] = [roomOf(file), roomOf(other)]
    return from !== to && !ROOMS[from].includes(to)
  }).map((other) => `${file} -> ${other}`))
  assert.deepStrictEqual(rising, [])
})

test('no module needs itself, inside a room either', () => {
  const state = new Map()
  const cycles = []
  for (const file of files) visit(file, [])
  assert.deepStrictEqual(cycles, [])

  function visit (file, path) {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    if (state.has(file) || !files.includes(file)) return
    state.set(file, true)
    for (const other of named(file)) visit(other, [...path, file])
  }
})

test('what lib/ exports is not for others', () => {
  const { exports } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  assert.deepStrictEqual(Object.keys(exports), ['.', './package.json'])
})

test('no file is too long, nor any function in it', () => {
  const long = [path.join(ROOT, 'index.js'), ...files.map((file) => path.join(LIB, file))].flatMap((file) => {
    const text = fs.readFileSync(file, 'utf8')
    const lines = text.split('\n').length
    const faults = lines > FILE_LINES ? [`${path.relative(ROOT, file)}: ${lines} lines`] : []
    return [...faults, ...longFunctions(text).map((fault) => `${path.relative(ROOT, file)} ${fault}`)]
  })
  assert.deepStrictEqual(long, [])
})

test('every module opens with what it is', () => {
  const bare = files.filter((file) => !fs.readFileSync(path.join(LIB, file), 'utf8').startsWith('/*\n * '))
  assert.deepStrictEqual(bare, [])
})

function roomOf (file) {
  return file.includes('/') ? file.split('/')[0] : ''
}

// The files of lib/ that a file requires.
function named (file) {
  const text = fs.readFileSync(path.join(LIB, file), 'utf8')
  const names = [...text.matchAll(/require\('(\.[^']*)'\)/g)].map(([, name]) => name)
  return names.map((name) => path.posix.normalize(path.posix.join(path.posix.dirname(file), name)) + '.js')
}

function longFunctions (text) {
  const source = ts.createSourceFile('file.js', text, ts.ScriptTarget.ES2022, true)
  const faults = []
  visit(source)
  return faults

  function visit (node) {
    if (ts.isFunctionLike(node)) {
      const lines = lineOf(node.getEnd()) - lineOf(node.getStart()) + 1
      if (lines > FUNCTION_LINES) faults.push(`line ${lineOf(node.getStart()) + 1}: ${lines} lines`)
    }
    ts.forEachChild(node, visit)
  }

  function lineOf (place) {
    return source.getLineAndCharacterOfPosition(place).line
  }
}

test('the border: every event has a handler, and what the documents say of its numbers is so', () => {
  const { events, limits, turn } = require('../lib/core/border')
  const handlers = files.map((file) => fs.readFileSync(path.join(LIB, file), 'utf8')).join('\n')
  const isHeard = (name) => new RegExp(`Kind\\.${name}\\b|kind === ${name}\\b`).test(handlers)
  assert.deepStrictEqual(Object.keys(events).filter((name) => !isHeard(name)), [])

  const table = fs.readFileSync(path.join(ROOT, 'docs', 'protocol.md'), 'utf8').split('\n')
  const cell = (start) => table.find((line) => line.startsWith(`| ${start}`)).split(' | ')[1].trim()
  assert.strictEqual(cell('bytes handed to the core'), `${limits.SLICE / 1024} KiB`)
  assert.strictEqual(cell('silence'), `${limits.TIMEOUT / 1000} s (\`timeout\`)`)
  assert.strictEqual(cell('a block '), `${limits.BLOCK / 1048576} MiB`)
  assert.ok(cell('time in one call').endsWith(`; ${turn.TURN} ms, ${turn.PATIENCE} ms there`))
})
