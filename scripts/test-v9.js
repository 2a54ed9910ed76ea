'use strict'
// npm run test:v9: stock's own tests, run from node_modules against this package, a line with the
// count for each file. One file, and again: node scripts/test-v9.js basic.js 10

const fs = require('node:fs')
const path = require('node:path')
const { runTape, report } = require('./tape')

const MODULES = path.join(__dirname, '..', 'node_modules')

// They test JavaScript modules of stock's, which we have not.
const OUT = ['bitfield.js', 'tree-index.js']

// Assertions that need not hold: file, test, how many, why. They look at what is nobody's business.
// docs/quirks.md lists them.
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
    const result = runTape(file, { preload: [path.join(__dirname, 'v9-hook.js')], allowed: ALLOWED.filter((one) => one.file === name) })
    total.passed += result.passed
    total.failed += result.failures.length
    report(`v9 ${name}`, started, result)
  }
  return total
}

function suite () {
  const dir = path.join(MODULES, 'hypercore-9', 'test')
  const names = fs.readdirSync(dir).filter((name) => name.endsWith('.js') && !OUT.includes(name)).sort()
  const files = names.map((name) => ({ name, file: path.join(dir, name) }))
  return [...files, { name: 'hypercore-protocol', file: path.join(MODULES, 'hypercore-protocol', 'test.js') }]
}

if (require.main === module) {
  const [only = null, times = 1] = process.argv.slice(2)
  for (let i = 0; i < times; i++) {
    const { passed, failed } = testV9(only)
    console.log(`${passed} passed, ${failed} failed`)
    if (failed) process.exitCode = 1
  }
}
