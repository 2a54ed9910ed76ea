/*
 * Checks: what the callers' arguments must be.
 *
 * Each check gives what it read, or throws an Error with a code; nothing has changed by then. The
 * core checks again what it must not believe.
 */
'use strict'

const errors = require('./errors')

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

// A key pair for streams; null where none was given.
function noiseKeyPair (value) {
  if (value === null || value === undefined) return null
  const { publicKey, secretKey } = value
  return { publicKey: noiseKey(publicKey), secretKey: noiseKey(secretKey) }
}

function noiseKey (value) {
  if (!(value instanceof Uint8Array) || value.byteLength !== 32) throw errors.badKeyPair()
  return keyBytes(value, 32, errors.badKeyPair)
}

// 32 bytes, or none.
function seed (value) {
  if (value === null || value === undefined) return undefined
  if (!(value instanceof Uint8Array) || value.byteLength !== 32) throw errors.badSeed()
  return value
}

// Milliseconds, where 0 and false mean none; `otherwise` where nothing was given.
function milliseconds (value, otherwise) {
  if (value === undefined || value === null) return otherwise
  if (value === false || value === true) return value ? otherwise : 0
  if (typeof value !== 'number' || !(value >= 0)) throw errors.badTimeout()
  return value
}

// How many requests a peer may be given; `otherwise` where nothing was given.
function requests (value, otherwise) {
  if (value === undefined || value === null || value === false || value === 0) return otherwise
  if (!(value >= 1) || typeof value === 'bigint') throw errors.badRequests()
  return Math.floor(value)
}

// How many files may be kept open.
function files (value) {
  if (!Number.isSafeInteger(value) || value < 1) throw errors.badFiles()
  return value
}

function signal (value) {
  if (value === undefined || value === null) return null
  if (typeof value.addEventListener !== 'function' || typeof value.aborted !== 'boolean') throw errors.badSignal()
  return value
}

function signature (value) {
  if (!(value instanceof Uint8Array) || value.byteLength !== 64) throw errors.signatureSize()
  return value
}

// Blocks above `limit` bytes do not fit into a frame of the protocol.
function block (buffer, limit) {
  if (buffer.length > limit) throw errors.blockTooBig()
  return buffer
}

module.exports = { isIndex, index, range, key, given, secretKey, noiseKeyPair, seed, milliseconds, requests, files, signal, length, signature, block }
