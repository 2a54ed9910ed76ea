'use strict'
// A test file written for tape, in a process of its own, and what it said.

const { spawnSync } = require('node:child_process')

const FILE_TIMEOUT = 120000

module.exports = { runTape, report }

// { passed, failures, allowed }. `preload`: modules to load before. `allowed`: assertions that need
// not hold, as { test, count }.
function runTape (file, { preload = [], allowed = [], cwd } = {}) {
  const args = [...preload.flatMap((name) => ['--require', name]), file]
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: FILE_TIMEOUT, killSignal: 'SIGKILL', maxBuffer: 1 << 26 })
  const result = read(stdout, allowed)
  // tape says 1 when an assertion failed; anything else must have ended by itself, with a plan.
  const ended = /^1\.\.\d+$/m.test(stdout) && !signal && status <= 1
  if (!ended) result.failures.push(`ended by ${signal || `status ${status}`}\n${stderr}`)
  return result
}

function read (output, allowed) {
  const result = { passed: 0, failures: [], allowed: 0 }
  const left = new Map(allowed.map(({ test, count }) => [test, count]))
  let test = ''
  for (const part of output.split(/^(?=# |ok |not ok )/m)) {
    if (part.startsWith('# ')) test = part.slice(2).split('\n')[0]
    else if (part.startsWith('ok ')) result.passed++
    else if (part.startsWith('not ok ')) {
      const more = left.get(test) || 0
      left.set(test, more - 1)
      if (more > 0) result.allowed++
      else result.failures.push(`${test}\n${part.trimEnd()}`)
    }
  }
  return result
}

// A line with the count, and every failure in full.
function report (name, started, { passed, failures, allowed }) {
  const note = allowed ? `, ${allowed} private` : ''
  console.log(`${failures.length ? 'FAIL' : 'ok  '} ${name}: ${passed} passed, ${failures.length} failed${note} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  for (const failure of failures) console.log(failure.replace(/^/gm, '     '))
}
