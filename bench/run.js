'use strict'
// npm run bench: this package against hypercore 9 on this machine, in turns, medians of five runs.
// --quick: smaller counts, three runs.

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setup } = require('../scripts/setup')

const QUICK = process.argv.includes('--quick')
const ROUNDS = QUICK ? 3 : 5
const IMPLS = ['ours', 'stock']

// goal: ours against hypercore 9, in speed; the last one on disk in memory, where less is better.
// 'ram' is random-access-memory, a JavaScript storage.
const ROWS = [
  { title: 'append 100 B, awaited, to disk', name: 'appendOne', count: QUICK ? 1000 : 10000, goal: 2.5 },
  { title: 'append batches of 128 x 512 B', name: 'appendBatch', count: 128 * (QUICK ? 40 : 400), goal: 2 },
  { title: 'get 512 B, awaited one by one', name: 'get', count: QUICK ? 4096 : 40960, goal: 5 },
  { title: 'replicate blocks of 512 B', name: 'replicate', count: QUICK ? 3000 : 20000, size: 512, goal: 15 },
  { title: 'replicate blocks of 64 KiB', name: 'replicate', count: QUICK ? 500 : 4000, size: 65536, goal: 1.3, memory: true },
  { title: 'random-access-memory: append 100 B, awaited', name: 'appendOne', where: 'ram', count: QUICK ? 2000 : 40000, goal: 1 },
  { title: 'random-access-memory: get 512 B, awaited', name: 'get', where: 'ram', count: QUICK ? 4096 : 40960, goal: 1 },
  { title: 'random-access-memory: replicate blocks of 512 B', name: 'replicate', where: 'ram', count: QUICK ? 3000 : 20000, size: 512, goal: 1 }
]

setup()
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hypercore-bench-'))
try {
  console.log('| case | ours | hypercore 9 | ours / 9 | goal |\n|---|---|---|---|---|')
  ROWS.forEach(measure)
} finally {
  fs.rmSync(scratch, { recursive: true, force: true })
}

function measure (row) {
  const { where = 'disk', size } = row
  const runs = { ours: [], stock: [] }
  const sources = size && where === 'disk' ? Object.fromEntries(IMPLS.map((impl) => [impl, prepare(impl, row)])) : {}
  for (let round = 0; round < ROUNDS; round++) {
    for (const impl of round % 2 ? [...IMPLS].reverse() : IMPLS) runs[impl].push(child(row, where, impl, sources[impl]))
  }
  for (const source of Object.values(sources)) fs.rmSync(source, { recursive: true })
  const speed = IMPLS.map((impl) => row.count / median(runs[impl].map((run) => run.seconds)))
  print(`${row.title} x ${thousands(row.count)}`, speed.map((n) => amount(n, size)), speed[0] / speed[1], `>= ${row.goal}`)
  if (!row.memory) return
  const memory = IMPLS.map((impl) => median(runs[impl].map((run) => run.memory)))
  print('memory after it, at most held', memory.map((n) => `${n.toFixed(0)} MiB`), memory[0] / memory[1], '<= 1')
}

function prepare (impl, { count, size }) {
  const dir = path.join(scratch, `source-${impl}`)
  run('prepare', impl, count, 'disk', dir, size)
  return dir
}

// A run gets an empty folder, gone afterwards.
function child ({ name, count, size = 0 }, where, impl, source) {
  const dir = fs.mkdtempSync(path.join(scratch, 'run-'))
  const result = run(name, impl, count, where, dir, size, ...(source ? [source] : []))
  fs.rmSync(dir, { recursive: true })
  return result
}

function run (...args) {
  return JSON.parse(execFileSync(process.execPath, [path.join(__dirname, 'cases.js'), ...args.map(String)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }))
}

function median (numbers) {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1]
}

function amount (perSecond, size) {
  const bytes = size ? `, ${(perSecond * size / 1e6).toFixed(0)} MB/s` : ''
  return `${thousands(perSecond)}/s${bytes}`
}

function thousands (n) {
  return Math.round(n).toLocaleString('en-US')
}

function print (title, [ours, stock], ratio, goal) {
  console.log(`| ${title} | ${ours} | ${stock} | ${ratio.toFixed(2)} | ${goal} |`)
}
