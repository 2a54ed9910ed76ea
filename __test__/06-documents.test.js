'use strict'
// Documents are code: what they name is there.
//
// ```text
// `src/replicate/peer.rs` `MAX_WINDOW`     the file is there, and says MAX_WINDOW
// ```

const { test } = require('node:test')
const assert = require('node:assert')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..')
const DOCUMENTS = ['README.md', 'SECURITY.md', 'docs/format.md', 'docs/protocol.md', 'docs/quirks.md']

// A path of ours, and the names that follow it in backquotes, as in: src/wire/frame.rs `MAX_BODY`,
// `Decoder`
const PLACE = /(?<![\w@/.])((?:src|lib|scripts|bench|examples|docs|__test__)\/[\w./-]*\.(?:rs|js|md|ts))`?((?:,? `[\w:]+`)*)/g

for (const document of DOCUMENTS) {
  test(`${document} names files and names that are there`, () => {
    const faults = []
    let seen = 0
    for (const [line, at] of lines(document)) {
      for (const [, file, names] of line.matchAll(PLACE)) {
        seen++
        const fault = faultOf(file, names.match(/[\w:]+/g) || [])
        if (fault) faults.push(`${document}:${at}: ${fault}`)
      }
    }
    assert.deepStrictEqual(faults, [])
    if (document.startsWith('docs/')) assert(seen > 5, 'no places were found')
  })
}

// The lines of our own code: those about other packages name their files too.
function lines (document) {
  const text = fs.readFileSync(path.join(ROOT, document), 'utf8')
  return text.split('\n').map((line, i) => [ours(line), i + 1])
}

// What is said after the name of a package, up to the next cell, sentence or "Ours", is about its
// files.
function ours (line) {
  return line.replace(/[\w-]+@\d[\w.]*[^|]*?(?=\||Ours:|$)/g, '')
}

function faultOf (file, names) {
  const place = path.join(ROOT, file)
  if (!fs.existsSync(place)) return `${file} is not there`
  const text = fs.readFileSync(place, 'utf8')
  const missing = names.filter((name) => !text.includes(name.split('::').pop()))
  return missing.length > 0 ? `${file} does not say ${missing.join(', ')}` : null
}
