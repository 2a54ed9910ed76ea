/*
 * Storage: where a feed keeps its files, as the core wants to hear it.
 *
 * ```text
 * './dir'            -> { kind: 'disk', path }
 * hypercore.memory() -> the core's own handle
 * (name, opts) => st -> { kind: 'js' }, and a JsStorage that carries its requests out
 * ```
 */
'use strict'

const INNER = require('../kit/inner')
const errors = require('../kit/errors')
const JsStorage = require('./js-storage')
const native = require('../core/native')

// Files in native memory. Keeps them when a feed is closed, so that another feed may be opened on
// them.
class Memory {
  constructor () {
    Object.defineProperty(this, INNER, { value: native.memoryNew() })
  }
}

// What the core is told, and the JsStorage or null. Throws when `storage` is none, or when a
// storage function does.
function open (storage) {
  if (typeof storage === 'string') return { native: { kind: 'disk', path: storage }, js: null }
  if (storage instanceof Memory) return { native: storage[INNER], js: null }
  if (typeof storage !== 'function') throw errors.storageType()
  const js = new JsStorage(storage)
  return { native: { kind: 'js' }, js }
}

module.exports = { Memory, open }
