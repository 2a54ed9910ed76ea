'use strict'
// npm test: set-up, then every check, then one line with the count. Part of it: node
// scripts/test.js rust|js|interop|v9|lint

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { setup, install, ROOT } = require('./setup')
const { runTests } = require('./runner')
const { testV9 } = require('./test-v9')
const { testPrograms } = require('./test-programs')

const count = { passed: 0, failed: 0 }

const SUITES = {
  rust: [format, clippy, rustTests],
  js: [() => install('examples'), () => jsTests('__test__')],
  interop: [() => jsTests('__test__/interop'), () => tapeTests(testPrograms)],
  v9: [() => tapeTests(testV9)],
  lint: [format, clippy, standard, types]
}
SUITES.all = [format, clippy, rustTests, ...SUITES.js, ...SUITES.interop, ...SUITES.v9, standard, types]

main(process.argv[2] || 'all').catch((err) => {
  console.error(err)
  process.exitCode = 1
})

async function main (suite) {
  setup()
  let ok = true
  for (const step of SUITES[suite]) ok = (await step()) !== false && ok
  console.log(ok ? 'all checks passed' : 'SOME CHECKS FAILED')
  console.log(`${count.passed} passed, ${count.failed} failed`)
  if (!ok) process.exitCode = 1
}

function format () {
  return component('fmt', 'rustfmt') && check('cargo', ['fmt', '--check'])
}

function clippy () {
  return component('clippy', 'clippy') && check('cargo', ['clippy', '--quiet', '--all-targets', '--features', 'node,random-access', '--', '-D', 'warnings'])
}

function rustTests () {
  const result = check('cargo', ['test', '--quiet', '--no-fail-fast', '--features', 'random-access'], (out) => {
    for (const [, passed, failed] of out.matchAll(/test result: \w+\. (\d+) passed; (\d+) failed/g)) {
      count.passed += Number(passed)
      count.failed += Number(failed)
    }
  })
  return result
}

async function jsTests (dir) {
  const files = fs.readdirSync(path.join(ROOT, dir)).filter((name) => name.endsWith('.test.js')).sort()
  const result = await runTests(files.map((name) => path.join(ROOT, dir, name)))
  count.passed += result.passed
  count.failed += result.failed
  return result.failed === 0 && result.passed > 0
}

// Suites of others: of hypercore 9, of programs for it.
function tapeTests (run) {
  const result = run()
  count.passed += result.passed
  count.failed += result.failed
  return result.failed === 0 && result.passed > 0
}

function standard () {
  return check(process.execPath, [require.resolve('standard/bin/cmd.cjs')])
}

function types () {
  return check(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', '__test__/tsconfig.json'])
}

// Some toolchains come without their formatter or linter.
function component (command, name) {
  const there = spawnSync('cargo', [command, '--version'], { cwd: ROOT }).status === 0
  return there || check('rustup', ['component', 'add', name])
}

// Runs quietly; shows what the command said only when it failed.
function check (command, args, read) {
  const started = Date.now()
  const result = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 })
  const ok = result.status === 0
  const label = [path.basename(command, '.exe'), ...args.map((arg) => path.basename(arg))].join(' ')
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${label} (${seconds(started)})`)
  if (!ok) console.log(result.error ? String(result.error) : result.stdout + result.stderr)
  if (read) read(result.stdout || '')
  return ok
}

function seconds (started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`
}
