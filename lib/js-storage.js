/*
 * JsStorage: carries the core's disk requests out on storages that a caller's function makes.
 *
 * A request is `[id, op, file, offset, arg]`: read (arg: bytes wanted), write (arg: Buffer), clear (arg: bytes), stat, close, destroy.
 * Each is answered by one status: done, absent (there is no such file, or it ends before the last byte wanted), or failed.
 * A storage may answer at once, late or out of order; may lack `del`, `stat`, `close` and `destroy`; may throw. Its faults become errors of
 * the operation that needed it, as the very same Error object.
 *
 * Invariant: each request is answered once, however often the storage answers.
 * Source: hypercore@9.12.0 lib/storage.js; what means "absent": random-access-file@2.2.1 (ENOENT, EPARTIALREAD),
 * random-access-storage@1.4.3 ('Not opened' once opening failed), random-access-memory@3.1.4 ('Could not satisfy length').
 */
'use strict'

const errors = require('./errors')
const { bytes } = require('./codec')

const FILES = ['key', 'secret_key', 'tree', 'data', 'bitfield', 'signatures']
const [READ, WRITE, CLEAR, STAT, CLOSE, DESTROY] = [0, 1, 2, 3, 4, 5]
const [DONE, ABSENT, FAILED] = [0, 1, 2]

class JsStorage {
  #create
  #files = new Array(FILES.length).fill(null)
  #missing = new Set() // storages that said that there is no such file

  // Asks for the `key` storage at once; throws what `create` throws.
  constructor (create) {
    this.#create = create
    this.#files[0] = this.#make(0, {})
  }

  get canClear () {
    return typeof this.#files[0].del === 'function'
  }

  // The caller's storage for the blocks; null before the key is known.
  get data () {
    return this.#files[3]
  }

  // As v9 decides it: by the flag that random-access-storage sets, not by the method, which is always there.
  get canStat () {
    return this.#files[0].statable === true
  }

  // Asks for the other five. A file that cannot be made fails all its requests.
  openRest (key, discoveryKey) {
    for (let i = 1; i < FILES.length; i++) {
      if (this.#files[i] !== null) continue
      try {
        this.#files[i] = this.#make(i, { key, discoveryKey })
      } catch (err) {
        this.#files[i] = broken(err)
      }
    }
  }

  // `answer(id, status, value)` is called for each request, at once or later.
  run (requests, answer) {
    for (const request of requests) {
      const [id, , file] = request
      const storage = this.#files[file]
      let answered = false
      const done = (status, value) => {
        if (answered) return
        answered = true
        answer(id, status, value)
      }
      try {
        carryOut(storage, request, done, (err) => this.#isAbsent(storage, err))
      } catch (err) {
        done(FAILED, errors.keep(err))
      }
    }
  }

  #make (file, opts) {
    const storage = this.#create(FILES[file], opts)
    if (!storage || typeof storage.read !== 'function') throw errors.noStorage()
    return storage
  }

  // Only "there is no such file" and "it ends before that" mean absent; anything else is a fault of the storage.
  // After the first the same storage may say that it is not open.
  #isAbsent (storage, err) {
    if (err.code === 'ENOENT' || err.notFound === true) this.#missing.add(storage)
    else if (err.message === 'Not opened') return this.#missing.has(storage)
    else return err.code === 'EPARTIALREAD' || err.message === 'Could not satisfy length'
    return true
  }
}

function carryOut (storage, [, op, , offset, arg], done, isAbsent) {
  const fail = (err) => isAbsent(err) ? done(ABSENT) : done(FAILED, errors.keep(err))
  const plain = (err) => err ? done(FAILED, errors.keep(err)) : done(DONE)
  const orAbsent = (err) => err ? fail(err) : done(DONE)

  // A file that was never asked for has nothing to read, close or destroy.
  if (storage === null) return done(op === READ || op === STAT ? ABSENT : DONE)

  if (op === READ) storage.read(offset, arg, (err, data) => err ? fail(err) : finishRead(data, arg, done))
  else if (op === WRITE) storage.write(offset, arg, plain)
  else if (op === CLEAR) optional(storage, 'del', done, () => storage.del(offset, arg, orAbsent))
  else if (op === STAT) storage.stat((err, stat) => err ? fail(err) : done(DONE, stat ? stat.size : 0))
  else if (op === CLOSE) optional(storage, 'close', done, () => storage.close(plain))
  else if (op === DESTROY) optional(storage, 'destroy', done, () => storage.destroy(orAbsent))
}

function optional (storage, method, done, call) {
  if (typeof storage[method] === 'function') call()
  else done(DONE)
}

function finishRead (data, size, done) {
  try {
    const buffer = bytes(data)
    if (buffer.length === size) done(DONE, buffer)
    else done(FAILED, errors.keep(errors.storageSize()))
  } catch (err) {
    done(FAILED, errors.keep(err))
  }
}

// A storage in the place of one that could not be made.
function broken (err) {
  const fail = () => { throw err }
  return { read: fail, write: fail, del: fail, stat: fail }
}

module.exports = JsStorage
