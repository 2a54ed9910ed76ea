'use strict'
// npm run test:v9: stock's own tests, run from node_modules against this package, a line with the count for each file.
// One file, and again: node scripts/test-v9.js basic.js 10

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const MODULES = path.join(__dirname, '..', 'node_modules')
const FILE_TIMEOUT = 120000

// They test JavaScript modules of stock's, which we have not.
const OUT = ['bitfield.js', 'tree-index.js']

// Assertions that need not hold: file, test, how many, why. They look at what is nobody's business. docs/quirks.md lists them.
const ALLOWED = [
  { file: 'cache.js', test: 'default options does not use data cache', count: 2, why: 'reads the size of a private cache of tree nodes; the core has its own' },
  { file: 'hypercore-protocol', test: 'onchannelclose handler', count: 1, why: "'end' of one stream comes a tick after the last handler of the other" }
]

module.exports = { testV9 }

function testV9 (only = null) {
  const total = { passed: 0, failed: 0 }
  for (const { name, file } of suite()) {
    if (only && only !== name) continue
    const started = Date.now()
    const { passed, failures, allowed } = runFile(name, file)
    total.passed += passed
    total.failed += failures.length
    const note = allowed ? `, ${allowed} private` : ''
    console.log(`${failures.length ? 'FAIL' : 'ok  '} v9 ${name}: ${passed} passed, ${failures.length} failed${note} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
    for (const failure of failures) console.log(failure.replace(/^/gm, '     '))
  }
  return total
}

function suite () {
  const dir = path.join(MODULES, 'hypercore-9', 'test')
  const names = fs.readdirSync(dir).filter((name) => name.endsWith('.js') && !OUT.includes(name)).sort()
  const files = names.map((name) => ({ name, file: path.join(dir, name) }))
  return [...files, { name: 'hypercore-protocol', file: path.join(MODULES, 'hypercore-protocol', 'test.js') }]
}

function runFile (name, file) {
  const args = ['--require', path.join(__dirname, 'v9-hook.js'), file]
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: FILE_TIMEOUT, killSignal: 'SIGKILL', maxBuffer: 1 << 26 })
  const result = read(name, stdout)
  // tape says 1 when an assertion failed; anything else must have ended by itself, with a plan.
  const ended = /^1\.\.\d+$/m.test(stdout) && !signal && status <= 1
  if (!ended) result.failures.push(`ended by ${signal || `status ${status}`}\n${stderr}`)
  return result
}

// Reads tape's report.
function read (file, report) {
  const result = { passed: 0, failures: [], allowed: 0 }
  const allowed = new Map(ALLOWED.filter((one) => one.file === file).map(({ test, count }) => [test, count]))
  let test = ''
  for (const part of report.split(/^(?=# |ok |not ok )/m)) {
    if (part.startsWith('# ')) test = part.slice(2).split('\n')[0]
    else if (part.startsWith('ok ')) result.passed++
    else if (part.startsWith('not ok ')) {
      const left = allowed.get(test) || 0
      allowed.set(test, left - 1)
      if (left > 0) result.allowed++
      else result.failures.push(`${test}\n${part.trimEnd()}`)
    }
  }
  return result
}

if (require.main === module) {
  const [only = null, times = 1] = process.argv.slice(2)
  for (let i = 0; i < times; i++) {
    const { passed, failed } = testV9(only)
    console.log(`${passed} passed, ${failed} failed`)
    if (failed) process.exitCode = 1
  }
}
