'use strict'
// Preloaded by test-v9.js: what stock's own tests require as the thing to be tested is this
// package.

const Module = require('node:module')
const path = require('node:path')

const ROOT = path.join(__dirname, '..')
const OURS = [
  { tests: /[\\/]hypercore-9[\\/]test[\\/]/, name: /^\.\.(\/\.\.)?\/?$/, file: path.join(ROOT, 'index.js') },
  { tests: /[\\/]hypercore-protocol[\\/]test\.js$/, name: /^\.\/$/, file: path.join(ROOT, 'lib', 'stream', 'protocol.js') }
]

const resolve = Module._resolveFilename
Module._resolveFilename = function (request, parent, ...rest) {
  const from = (parent && parent.filename) || ''
  const ours = OURS.find(({ tests, name }) => tests.test(from) && name.test(request))
  return ours ? ours.file : resolve.call(this, request, parent, ...rest)
}
