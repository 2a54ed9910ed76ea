/*
 * Errors: every Error that JavaScript makes, in one table.
 *
 * `errors.closed()` gives a fresh Error with v9's message, where v9 had one, and a `code` that
 * never changes. The core sends `code` and `message` of its own errors; `fromNative` makes the
 * Error. An error that came out of a JavaScript storage or hook is kept here under a number while
 * the core handles it, and comes back as the very same object.
 *
 * Invariant: every Error that leaves this package has a `code`, except those that a caller's own
 * function made.
 * Source: messages of hypercore@9.12.0 index.js and lib/replicate.js, hypercore-protocol@8.0.7,
 * nanoresource@1.3.0.
 */
'use strict'

const TABLE = {
  closed: ['ECLOSED', 'Feed is closed'],
  closedWhileWaiting: ['ECLOSED', 'Closed'],
  closedToAppend: ['ECLOSED', 'This feed is not writable. Did you create it?'],
  resourceClosed: ['ECLOSED', 'Resource is closed'],
  notWritable: ['ENOTWRITABLE', 'This feed is not writable. Did you create it?'],
  empty: ['EEMPTY', 'feed is empty'],
  blockTooBig: ['EBLOCKTOOBIG', 'Individual blocks has be less than 8MB'],
  notDownloaded: ['ENOTDOWNLOADED', 'Block not downloaded'],

  timeout: ['ETIMEDOUT', 'ETIMEDOUT'],
  requestCancelled: ['ECANCELED', 'Request cancelled'],
  downloadCancelled: ['ECANCELED', 'Download was cancelled'],
  aborted: ['ABORT_ERR', 'The operation was aborted'],

  noUpdate: ['ENOUPDATE', 'No update available from peers'],
  expectedLength: ['ENOUPDATE', 'Expected length is less than current length'],
  blockNotAvailable: ['ENOTAVAILABLE', 'Block not available from peers'],
  seekNotAvailable: ['ENOTAVAILABLE', 'Seek not available from peers'],

  badSignature: ['EBADSIGNATURE', 'Signature verification failed'],
  signatureSize: ['EBADARGUMENT', 'A signature must be 64 bytes'],
  badProof: ['EBADARGUMENT', 'A proof must have nodes of { index, hash, size }, and a signature or none'],
  badHook: ['EBADARGUMENT', 'A hook must be a function'],
  badHookAnswer: ['EBADHOOK', 'A hook gave a wrong answer'],
  hookFailed: ['EBADHOOK', 'A hook failed without an error'],
  badCache: ['EBADARGUMENT', 'A cache must be a number of bytes, an object with get and set, or false'],

  storageType: ['EBADARGUMENT', 'Storage should be a function or string'],
  badKey: ['EBADKEY', 'A key must be 32 bytes, or 64 hex characters'],
  badSecretKey: ['EBADKEY', 'A secret key must be 64 bytes, or 128 hex characters'],
  badKeyPair: ['EBADKEY', 'A key pair must be a publicKey and a secretKey of 32 bytes each'],
  badSeed: ['EBADKEY', 'A seed must be 32 bytes'],
  badTimeout: ['EBADARGUMENT', 'A timeout must be a number of milliseconds, or false'],
  badTimeouts: ['EBADARGUMENT', 'Timeouts must be an object with functions get and update'],
  badRequests: ['EBADARGUMENT', 'The number of requests must be 1 or more'],
  badFiles: ['EBADARGUMENT', 'The number of files must be a positive integer'],
  badSignal: ['EBADARGUMENT', 'A signal must be an AbortSignal'],
  badName: ['EBADARGUMENT', 'The name of an extension must be a string'],
  badIndex: ['EBADARGUMENT', 'An index must be a non-negative integer below 2^53'],
  badRange: ['EBADARGUMENT', 'A range must be two non-negative integers, the start not above the end'],
  badLength: ['EBADARGUMENT', 'A length must be a non-negative integer below 2^53'],
  badBlock: ['EBADARGUMENT', 'A block must be a string, a Buffer or a view on bytes'],
  badJson: ['EBADARGUMENT', 'The value has no JSON form'],
  badString: ['EBADARGUMENT', 'The value has no text form'],
  nullBlock: ['EBADARGUMENT', 'A read stream cannot carry null'],

  initiator: ['EBADARGUMENT', 'Must specify initiator boolean in replication stream'],
  badStream: ['EBADARGUMENT', 'The stream is no protocol stream'],
  badMessage: ['EBADARGUMENT', 'The message cannot be sent'],
  remoteMessage: ['EBADPROTOCOL', 'The remote sent a message that cannot be'],
  noKey: ['ENOKEY', 'A static feed has no key before finalize'],
  peerExtensions: ['EBADARGUMENT', 'Per peer extensions is not supported. Use feed.registerExtension instead'],
  sameExtension: ['EBADARGUMENT', 'Cannot add multiple messages with the same name'],
  guardDepends: ['EBADARGUMENT', 'Can only depend on one other guard currently'],
  writableClosed: ['ERR_STREAM_PREMATURE_CLOSE', 'Writable stream closed prematurely'],
  readableClosed: ['ERR_STREAM_PREMATURE_CLOSE', 'Readable stream closed before ending'],

  noStorage: ['EBADSTORAGE', 'The storage function gave no storage'],
  storageSize: ['EBADSTORAGE', 'The storage gave another number of bytes than it was asked for']
}

for (const [name, [code, message]] of Object.entries(TABLE)) {
  exports[name] = (cause) => create(code, message, cause)
}

// An Error with a code; `errno` for the one code that had a number in v9.
function create (code, message, cause) {
  const err = cause === undefined ? new Error(message) : new Error(message, { cause })
  if (code === 'ABORT_ERR') err.name = 'AbortError'
  if (code) err.code = code
  if (code === 'ECANCELED') err.errno = -11
  return err
}

// ## Errors of JavaScript storages and hooks

// One failing storage may fail many operations, so an error stays until this many others came after
// it.
const KEPT = 1024
const kept = new Map()
let lastKept = 0

// Keeps what a storage or a hook threw or answered, and gives the number under which the core knows
// it (never 0).
function keep (err) {
  kept.set(++lastKept, foreign(err))
  kept.delete(lastKept - KEPT)
  return lastKept
}

// What a caller's function threw or answered, as an Error.
function foreign (err) {
  return err instanceof Error ? err : create('EBADSTORAGE', textOf(err))
}

// What an error says of itself, as the core wants to know it: `code` is null if there is none.
function said (err) {
  try {
    const { code, notFound, message } = Object(err)
    return { code: code === undefined ? null : String(code), notFound: notFound === true, message: String(message) }
  } catch {
    return { code: 'EBADSTORAGE', notFound: false, message: '' }
  }
}

function textOf (value) {
  try {
    return String(value)
  } catch {
    return 'A storage failed with what has no text'
  }
}

// The Error for a failed operation: a kept one (`number` not 0), or a new one with the core's code
// and message.
function fromNative (code, message, number) {
  return (number && kept.get(number)) || create(code, message)
}

exports.create = create
exports.keep = keep
exports.foreign = foreign
exports.said = said
exports.fromNative = fromNative
