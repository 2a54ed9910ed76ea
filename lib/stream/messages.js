/*
 * Messages: what is said about a feed, as JavaScript objects.
 *
 * ```text
 * from the core   [.., kind, field, field, ...]        null: absent
 * to programs     { field, field }                     absent ones as stock's decoder has them
 * to the core     { kind, field, field }               absent ones left out
 * ```
 * A kind is its number on the wire. The core calls the asker's bits of a request `digest`; stock calls them `nodes`.
 *
 * Source: simple-hypercore-protocol@2.1.2 schema.proto.
 */
'use strict'

const errors = require('../kit/errors')
const { bytes } = require('../kit/codec')

const REQUEST = 7
const DATA = 9
const EXTENSION = 15

const REQUIRED = ['start', 'index']

// Kind -> its name, and its fields with what they are when absent.
const KINDS = new Map([
  [1, { name: 'options', fields: { extensions: [], ack: false } }],
  [2, { name: 'status', fields: { uploading: false, downloading: false } }],
  [3, { name: 'have', fields: { start: 0, length: 1, bitfield: null, ack: false } }],
  [4, { name: 'unhave', fields: { start: 0, length: 1 } }],
  [5, { name: 'want', fields: { start: 0, length: 0 } }],
  [6, { name: 'unwant', fields: { start: 0, length: 0 } }],
  [REQUEST, { name: 'request', fields: { index: 0, bytes: 0, hash: false, nodes: 0 } }],
  [8, { name: 'cancel', fields: { index: 0, bytes: 0, hash: false } }],
  [DATA, { name: 'data', fields: { index: 0, value: null, nodes: [], signature: null } }]
])

// Hands a message to `target[prefix + its name]`, if there is such a method: `ondata(message)`, `onextension(id, payload)`.
function deliver (target, prefix, kind, values, isFilled) {
  if (kind === EXTENSION) return call(target, prefix + 'extension', values)
  const known = KINDS.get(kind)
  if (known) call(target, prefix + known.name, [read(kind, known.fields, values, isFilled)])
}

function call (target, method, args) {
  if (target && typeof target[method] === 'function') target[method](...args)
}

// `isFilled`: absent fields are filled as stock's decoder fills them; else they stay null.
function read (kind, fields, values, isFilled) {
  const message = {}
  Object.entries(fields).forEach(([name, absent], i) => {
    message[name] = values[i] === null && isFilled ? absent : values[i]
  })
  if (kind === DATA) message.nodes = message.nodes.map(([index, hash, size]) => ({ index, hash, size }))
  return message
}

// The core's form of a program's message. Throws when the field that must be there is not, or one that must be bytes is none.
function toNative (kind, message) {
  const spec = { kind }
  for (const name of Object.keys(KINDS.get(kind).fields)) {
    const value = message[name]
    if (value === undefined || value === null) {
      if (REQUIRED.includes(name)) throw errors.badMessage()
      continue
    }
    spec[kind === REQUEST && name === 'nodes' ? 'digest' : name] = value
  }
  for (const name of ['value', 'signature', 'bitfield']) if (spec[name]) spec[name] = bytes(spec[name])
  if (kind === DATA && spec.nodes) spec.nodes = spec.nodes.map(({ index, hash, size }) => ({ index, hash: bytes(hash), size }))
  return spec
}

function extension (id, payload) {
  if (typeof id !== 'number') throw errors.badMessage()
  return { kind: EXTENSION, id, payload: bytes(payload) }
}

const KIND = Object.fromEntries([...KINDS].map(([kind, { name }]) => [name, kind]))

module.exports = { KIND, deliver, toNative, extension }
