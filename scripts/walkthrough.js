'use strict'
// npm run walkthrough: set-up, then every step of the walkthrough in a fresh folder. Fails when a
// step fails or does not end by itself.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setup, ROOT } = require('./setup')

const LIMIT = 30000
const CHAPTERS = [
  ['step-1.js', 'step-2.js', 'step-3.js'],
  ['promisifier/step-1.js', 'promisifier/step-2.js']
]

setup()
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hypercore-walkthrough-'))
try {
  CHAPTERS.forEach(walk)
} finally {
  fs.rmSync(scratch, { recursive: true, force: true })
}

// The steps of a chapter build on each other, so they share a folder.
function walk (steps, chapter) {
  const cwd = path.join(scratch, String(chapter))
  fs.mkdirSync(cwd)
  for (const step of steps) {
    console.log(`\n== walkthrough/${step}`)
    const script = path.join(ROOT, 'walkthrough', step)
    const { status, signal, error } = spawnSync(process.execPath, [script], { cwd, stdio: 'inherit', timeout: LIMIT, killSignal: 'SIGKILL' })
    if (status === 0) continue
    console.log(error?.code === 'ETIMEDOUT' ? `It did not end within ${LIMIT / 1000} s.` : `It ended with ${signal || status}.`)
    process.exitCode = 1
  }
}
