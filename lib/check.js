/*
 * Checks: what the callers' arguments must be.
 *
 * Each check gives what it read, or throws an Error with a code; nothing has changed by then. The core checks again what it must not believe.
 */
'use strict'

const errors = require('./errors')

// Blocks above this many bytes do not fit into a frame of the protocol.
const MAX_BLOCK = 8388608

function isIndex (value) {
  return Number.isSafeInteger(value) && value >= 0
}

function index (value) {
  if (!isIndex(value)) throw errors.badIndex()
  return value
}

// `end` is exclusive.
function range (start, end) {
  if (!isIndex(start) || !isIndex(end) || start > end) throw errors.badRange()
}

// A public key as a Buffer; null where none was given.
function key (value) {
  return keyBytes(value, 32, errors.badKey)
}

// The same where one must be given.
function given (value) {
  const bytes = key(value)
  if (bytes === null) throw errors.badKey()
  return bytes
}

function secretKey (value) {
  return keyBytes(value, 64, errors.badSecretKey)
}

function keyBytes (value, size, fault) {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') {
    if (value.length !== 2 * size || !/^[0-9a-f]*$/i.test(value)) throw fault()
    return Buffer.from(value, 'hex')
  }
  if (!(value instanceof Uint8Array) || value.byteLength !== size) throw fault()
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, size)
}

function length (value) {
  if (!isIndex(value)) throw errors.badLength()
}

function signature (value) {
  if (!(value instanceof Uint8Array) || value.byteLength !== 64) throw errors.signatureSize()
  return value
}

function block (buffer) {
  if (buffer.length > MAX_BLOCK) throw errors.blockTooBig()
  return buffer
}

module.exports = { isIndex, index, range, key, given, secretKey, length, signature, block }
