/*
 * Codecs: how values become blocks, and blocks values.
 *
 * A codec is an object with `encode(value) -> bytes` and `decode(Buffer) -> value`; callers may
 * bring their own. The bytes of the named ones equal those of npm `codecs`: 'ndjson' ends each
 * block with a newline, 'json' does not; a feed takes 'json' to mean 'ndjson', so that its data
 * file reads as ndjson. Unknown names mean 'binary'.
 *
 * A value that cannot be encoded is the caller's fault: `encode` throws, with a code.
 * Source: codecs@2.2.0 index.js, hypercore@9.12.0 index.js `toCodec`.
 */
'use strict'

const errors = require('./errors')

const binary = {
  name: 'binary',
  encode: bytes,
  decode: (buffer) => buffer
}

const named = new Map([
  ['binary', binary],
  ['json', json('json', '')],
  ['ndjson', json('ndjson', '\n')],
  ['ascii', text('ascii')],
  ['hex', text('hex')],
  ['base64', text('base64')]
])

alias(text('utf-8'), 'utf-8', 'utf8')
alias(text('ucs2'), 'ucs2', 'ucs-2')
alias(text('utf16le'), 'utf16le', 'utf16-le')

// The codec for a name or an object with `decode`, and `encode` if it is to write more than bytes.
function codec (encoding) {
  if (typeof encoding === 'object' && encoding && encoding.decode) return encoding.encode ? encoding : reader(encoding)
  return named.get(encoding) || binary
}

function reader (encoding) {
  return { encode: bytes, decode: (buffer) => encoding.decode(buffer) }
}

// The same for a feed's values.
function feedCodec (encoding) {
  return codec(encoding === 'json' ? 'ndjson' : encoding)
}

// A Buffer over what was given, without a copy where it is bytes already.
function bytes (value) {
  if (Buffer.isBuffer(value)) return value
  if (typeof value === 'string') return Buffer.from(value)
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  throw errors.badBlock()
}

function json (name, newline) {
  return {
    name,
    encode (value) {
      return Buffer.from(stringify(value) + newline)
    },
    decode: (buffer) => JSON.parse(buffer.toString())
  }
}

// Rings and BigInts make `JSON.stringify` throw, functions make it give nothing. What a caller's
// `toJSON` throws stays as it is.
function stringify (value) {
  let string
  try {
    string = JSON.stringify(value)
  } catch (err) {
    if (err instanceof TypeError && !err.code) err.code = 'EBADARGUMENT'
    throw err
  }
  if (string === undefined) throw errors.badJson()
  return string
}

function text (name) {
  return {
    name,
    encode (value) {
      if (value === null || value === undefined) throw errors.badString()
      return Buffer.from(typeof value === 'string' ? value : value.toString(), name)
    },
    decode: (buffer) => buffer.toString(name)
  }
}

function alias (codec, ...names) {
  for (const name of names) named.set(name, codec)
}

module.exports = { codec, feedCodec, binary, bytes }
