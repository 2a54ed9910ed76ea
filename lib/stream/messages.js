/*
 * Messages: what is said about a feed, as JavaScript objects.
 *
 * ```text
 * from the core   [.., kind, field, field, ...]        null: absent
 * to programs     { field, field }                     absent ones as stock's decoder has them
 * to the core     { kind, field, field }               absent ones left out
 * ```
 * A kind is its number on the wire. Which fields it has the border says.
 *
 * Source: simple-hypercore-protocol@2.1.2 schema.proto.
 */
'use strict'

const { messages, extension: EXTENSION } = require('../core/border')
const errors = require('../kit/errors')
const { bytes } = require('../kit/codec')

const KIND = Object.fromEntries(messages.map(({ kind, name }) => [name, kind]))
const known = new Map(messages.map((message) => [message.kind, message]))

// Hands a message to `target[prefix + its name]`, if there is such a method: `ondata(message)`,
// `onextension(id, payload)`.
function deliver (target, prefix, kind, values, isFilled) {
  if (kind === EXTENSION) return call(target, prefix + 'extension', values)
  const message = known.get(kind)
  if (message) call(target, prefix + message.name, [read(message.fields, values, isFilled)])
}

function call (target, method, args) {
  if (target && typeof target[method] === 'function') target[method](...args)
}

// `isFilled`: absent fields are filled as stock's decoder fills them; else they stay null.
function read (fields, values, isFilled) {
  const message = {}
  fields.forEach(({ name, isNodes, absent }, i) => {
    const value = values[i] === null && isFilled ? absent : values[i]
    message[name] = isNodes ? value.map(([index, hash, size]) => ({ index, hash, size })) : value
  })
  return message
}

// The core's form of a program's message. Throws when a field that must be there is not, or one
// that must be bytes is none.
function toNative (kind, message) {
  const spec = { kind }
  for (const { name, isRequired, isBytes, isNodes } of known.get(kind).fields) {
    const value = message[name]
    if (value === undefined || value === null) {
      if (isRequired) throw errors.badMessage()
    } else if (isBytes) spec[name] = bytes(value)
    else if (isNodes) spec[name] = value.map(({ index, hash, size }) => ({ index, hash: bytes(hash), size }))
    else spec[name] = value
  }
  return spec
}

function extension (id, payload) {
  if (typeof id !== 'number') throw errors.badMessage()
  return { kind: EXTENSION, id, payload: bytes(payload) }
}

module.exports = { KIND, deliver, toNative, extension }
