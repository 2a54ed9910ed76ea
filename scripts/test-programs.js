'use strict'
// npm run test:programs: programs for hypercore 9, installed from npm with nothing changed but
// hypercore itself, and their own tests. Those that come without get some of ours, in the folder
// test beside their package.json. One program: node scripts/test-programs.js hyperbee

const fs = require('node:fs')
const path = require('node:path')
const { setup, install, ROOT } = require('./setup')
const { runTape, report } = require('./tape')

const DIR = '__test__/programs'
const PROGRAMS = {
  hyperbee: 'tape-5',
  corestore: 'tape-5',
  hypertrie: 'tape-5',
  hyperdrive: 'tape-4',
  hyperspace: 'tape-5',
  '@corestore/networker': 'tape-4',
  'mountable-hypertrie': 'tape-4',
  'hypercore-encrypted': 'tape-5',
  hyperbeedown: 'tape-5',
  multifeed: 'tape-5'
}

// Files that are not run, and why.
const OUT = {
  'hyperdrive/index.js': 'runs all the others',
  'hyperdrive/storage.js': 'its "write and read (sparse)" does not end on Node 20, with hypercore 9.12.0 either',
  'mountable-hypertrie/history.js': 'has no tests in it',
  'hyperdrive/fuzzing.js': 'takes a minute, with hypercore 9.12.0 as well'
}

module.exports = { testPrograms }

function testPrograms (only = null) {
  const total = { passed: 0, failed: 0 }
  for (const [program, dir] of Object.entries(PROGRAMS)) {
    if (only && only !== program) continue
    install(`${DIR}/${dir}`)
    const home = path.join(ROOT, DIR, dir)
    const tests = ['test', 'tests'].map((name) => path.join(home, 'node_modules', program, name)).find(fs.existsSync) || path.join(home, 'test')
    for (const name of fs.readdirSync(tests).filter((name) => name.endsWith('.js')).sort()) {
      if (OUT[`${program}/${name}`]) continue
      const started = Date.now()
      const result = runTape(path.join(tests, name), { cwd: home })
      total.passed += result.passed
      total.failed += result.failures.length
      report(`${program} ${name}`, started, result)
    }
  }
  return total
}

if (require.main === module) {
  setup()
  const { passed, failed } = testPrograms(process.argv[2])
  console.log(`${passed} passed, ${failed} failed`)
  if (failed) process.exitCode = 1
}
