'use strict'
// A table of situations, this package beside hypercore 9, each figure from a process of its own.
// Medians of three runs, in turns. --json, --filter TEXT (of a title or a situation), --ours-only,
// --quick (one run, smaller sizes). --no-setup takes the build that is there.

const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs, promisify } = require('node:util')
const { median } = require('./neighbour/kit')
const { setup } = require('../scripts/setup')

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean' },
    filter: { type: 'string', default: '' },
    'ours-only': { type: 'boolean' },
    quick: { type: 'boolean' },
    'no-setup': { type: 'boolean' }
  }
})

const ROUNDS = options.quick ? 1 : 3
// A run that takes longer than these milliseconds is given up.
const LIMIT = options.quick ? 60000 : 240000
// What is flat costs at most so much more when there are four times as many.
const FLAT = 1.3

let scratch

module.exports = async function table (folder, situations) {
  if (!options['no-setup']) setup()
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hypercore-table-'))
  try {
    await measureAll(situations.map((name) => path.join(folder, name)))
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

async function measureAll (situations) {
  const results = []
  for (const situation of situations) {
    const rows = rowsOf(situation)
    for (const name of new Set(rows.map((row) => row.case))) await measure(situation, name, rows, results)
  }
  if (options.json) console.log(JSON.stringify(results, null, 2))
  else print(results)
}

// The rows that were asked for, and those that they are compared with.
function rowsOf (situation) {
  const { rows } = require(situation)
  const isAsked = ({ title }) => path.basename(situation) === options.filter || title.includes(options.filter)
  const asked = rows.filter(isAsked)
  return rows.filter((row) => asked.includes(row) || asked.some(({ flatTo }) => flatTo === row.case))
}

// Runs a case in turns, and adds its rows to the results.
async function measure (situation, name, rows, results) {
  const wanted = rows.filter((row) => row.case === name)
  const impls = options['ours-only'] || wanted.every((row) => row.oursOnly) ? ['ours'] : ['ours', 'stock']
  const runs = { ours: [], stock: [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const impl of round % 2 ? [...impls].reverse() : impls) runs[impl].push(await child(situation, name, impl))
  }
  for (const row of wanted) {
    const [ours, stock] = [runs.ours, runs.stock].map((all) => valueOf(all, row.measure))
    const base = results.find((result) => result.situation === path.basename(situation) && result.case === row.flatTo &&
      result.measure === row.measure)
    const { measure, title, unit, goal } = row
    results.push({ situation: path.basename(situation), case: name, measure, title, unit, ours, stock, goal, growth: growth(ours, base), reached: isReached(row, ours, base), runs })
  }
}

// The median, null when a run was given up, undefined when there was none.
function valueOf (runs, measure) {
  if (runs.length === 0) return undefined
  return runs.includes(null) ? null : median(runs.map((run) => run[measure]))
}

function growth (ours, base) {
  return base && base.ours && ours ? ours / base.ours : undefined
}

function isReached ({ goal, flatTo }, ours, base) {
  if (ours === null) return false
  if (goal !== null && ours > goal) return false
  return !flatTo || growth(ours, base) <= FLAT
}

async function child (situation, name, impl) {
  const dir = fs.mkdtempSync(path.join(scratch, 'run-'))
  const args = ['--expose-gc', path.join(__dirname, 'child.js'), situation, name, impl, dir, options.quick ? 'quick' : '']
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT, killSignal: 'SIGKILL' })
    return JSON.parse(stdout)
  } catch (err) {
    if (!err.killed) throw err
    return null
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function print (results) {
  console.log('| situation | ours | hypercore 9 | must be | reached |\n|---|---|---|---|---|')
  for (const { title, unit, ours, stock, goal, growth, reached } of results) {
    const limits = [goal === null ? '' : `under ${goal} ${unit}`, growth === undefined ? '' : `flat, now x ${growth.toFixed(2)}`]
    const cells = [title, amount(ours, unit), amount(stock, unit), limits.filter(Boolean).join('; ') || '-', reached ? 'yes' : 'NO']
    console.log(`| ${cells.join(' | ')} |`)
  }
}

function amount (value, unit) {
  if (value === undefined) return '-'
  if (value === null) return `over ${LIMIT / 1000} s in all`
  return `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`
}
