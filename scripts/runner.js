'use strict'
// Node's test runner with little output: one line a file, and every failure in full.

const { run } = require('node:test')
const path = require('node:path')
const util = require('node:util')

// A file that leaves something open behind, or hangs, is killed then.
const FILE_TIMEOUT = 300000

module.exports = { runTests }

async function runTests (files) {
  const total = { passed: 0, failed: 0 }
  for (const file of files) {
    const started = Date.now()
    const one = await runFile(file)
    total.passed += one.passed
    total.failed += one.failed
    const mark = one.failed ? 'FAIL' : 'ok  '
    console.log(`${mark} ${path.basename(file)}: ${one.passed} passed, ${one.failed} failed (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  }
  return total
}

function runFile (file) {
  const count = { passed: 0, failed: 0 }
  return new Promise((resolve, reject) => {
    const events = run({ files: [file], concurrency: false, timeout: FILE_TIMEOUT })
    events.on('test:pass', (test) => { if (isLeaf(test, file) && !test.skip) count.passed++ })
    events.on('test:fail', (test) => {
      if (!isLeaf(test, file)) return
      count.failed++
      report(test)
    })
    events.on('test:stderr', ({ message }) => process.stdout.write(message))
    events.on('error', reject)
    events.on('end', () => resolve(count))
    events.resume()
  })
}

// A file or suite whose only fault is a failed test inside is not counted beside that test; one
// that ended wrongly by itself is.
function isLeaf (test, file) {
  const failure = test.details.error?.failureType
  if (failure === 'subtestsFailed') return false
  const isFile = test.name === file || path.resolve(test.name) === file
  return failure ? true : test.details.type !== 'suite' && !isFile
}

function report (test) {
  const cause = test.details.error?.cause || test.details.error
  console.log(`FAIL ${test.name}`)
  console.log(util.inspect(cause, { depth: 3 }).replace(/^/gm, '     '))
}
