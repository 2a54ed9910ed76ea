/*
 * JsStorage: carries the core's disk requests out on storages that a caller's function makes.
 *
 * ```text
 * requests  count; id, op, file, offset, size,  id, op, file, offset, size, ...; bytes of all writes      size in bytes
 * op        read | write | clear | stat | close | destroy      writes with one id, next to each other, have one answer
 * answer    done | absent (there is no such file, or it ends before the last byte wanted) | failed      the core says which an error is
 * ```
 * A storage may answer at once, late or out of order; may lack `del`, `stat`, `close` and
 * `destroy`; may throw. Its faults become errors of the operation that needed it, as the very same
 * Error object.
 *
 * Invariant: each request is answered once, however often the storage answers.
 * Source: hypercore@9.12.0 lib/storage.js.
 */
'use strict'

const errors = require('../kit/errors')
const { bytes } = require('../kit/codec')
const native = require('../core/native')
const border = require('../core/border')
const { more, soon, ask, behind } = require('../core/queue')
const { appended } = require('../core/operations')
const turn = require('../core/turn')

const FILES = border.files
const [TREE, DATA, BITFIELD] = ['tree', 'data', 'bitfield'].map((name) => FILES.indexOf(name))
const { READ, WRITE, CLEAR, STAT, CLOSE, DESTROY } = border.storage
const { DONE, ABSENT, FAILED, UNABLE } = border.answer
// What a call leaves behind.
const { EVENTS, ASKS, ANSWERS, BRINGS } = border.rest
// Nothing to do; carrying out; there is something, or more, to do.
const [IDLE, RUNNING, ASKED] = [0, 1, 2]

class JsStorage {
  #create
  #files = new Array(FILES.length).fill(null)
  #handle = null
  #answer = null
  #written = null
  #state = IDLE
  #bitmap = { offset: -1, bytes: null } // the bitfield's page that was written last

  // Asks for the `key` storage at once; throws what `create` throws.
  constructor (create) {
    this.#create = create
    this.#files[0] = this.#make(0, {})
  }

  // The caller's storage for the blocks; null before the key is known.
  get data () {
    return this.#files[DATA]
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

  // The core's handle of the feed whose storage this is.
  attach (handle) {
    this.#handle = handle
    this.#answer = (id, status, value) => this.#rest(native.feedIoDone(handle, id, status, value))
    this.#written = (id) => this.#rest(native.feedIoWritten(handle, id, this.#page, page.used))
  }

  append (op, blocks) {
    this.#rest(native.feedAppend(this.#handle, op, blocks, this.#page, page.used), soon)
  }

  // The core asks for something.
  carryOut () {
    this.#rest(ASKS)
  }

  // While requests are carried out the core puts no others on the page.
  get #page () {
    return this.#state === IDLE ? page.memory : null
  }

  // A call of the core left something behind: events, something to do here, or that on the page
  // already. A storage that answers at once makes the core ask for more in the middle of a run;
  // then the run goes on, and gives way to the event loop now and then.
  #rest (rest, hand = behind) {
    if (rest === ANSWERS) return hand(appended(page.numbers, page.used / 8))
    more((rest & EVENTS) !== 0)
    if (rest < ASKS) return
    const isIdle = this.#state === IDLE
    this.#state = ASKED
    if (isIdle) this.#runAll(rest < BRINGS ? null : claim(page, Math.floor(rest / BRINGS)))
  }

  #runAll (place) {
    turn.bePatient()
    while (this.#state === ASKED) {
      if (turn.isUp()) return setImmediate(() => this.#runAll(place))
      this.#state = RUNNING
      ask(() => this.#run(place || take(this.#handle)))
      place = null
    }
    this.#state = IDLE
  }

  // Carries out what the core asks, and answers each request once, now or later.
  #run (place) {
    const { numbers, memory, start } = place
    const end = start + 1 + 5 * numbers[start]
    let used = 8 * end
    let isKept = false // something on the page was handed on
    for (let i = start + 1; i < end;) {
      if (numbers[i + 1] === WRITE) {
        const first = i
        while (i < end && numbers[i] === numbers[first]) i += 5
        isKept = isKept || numbers[first + 2] !== BITFIELD
        used = this.#write(numbers, first, i, memory, used)
      } else {
        this.#carryOut(numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4])
        i += 5
      }
    }
    if (!isKept) unclaim(place)
  }

  // Reads what the core asks for next on the way to a block: cb(err, data). No data means that
  // there is none.
  read (isData, offset, size, cb) {
    const file = isData ? DATA : TREE
    const storage = this.#files[file]
    turn.bePatient()
    storage.read(offset, size, (err, data) => {
      if (!err) cb(null, data)
      else if (this.#isAbsent(storage, file, err)) cb(null, null)
      else cb(errors.foreign(err), null)
    })
  }

  // All writes from place `i` to before `end`; the first error is the answer, when all are over.
  // Gives how much of `memory` is used then.
  #write (numbers, i, end, memory, used) {
    const id = numbers[i]
    let left = (end - i) / 5
    let error = null
    const done = (err) => {
      error = error || err || null
      if (--left > 0) return
      if (error) this.#answer(id, FAILED, errors.keep(error))
      else this.#written(id)
    }
    for (; i < end; i += 5) {
      const storage = this.#files[numbers[i + 2]]
      const start = used
      used += numbers[i + 4]
      const part = numbers[i + 2] === BITFIELD ? this.#remember(numbers[i + 3], memory, start, used) : memory.subarray(start, used)
      const cb = once(done)
      try {
        storage.write(numbers[i + 3], part, cb)
      } catch (err) {
        cb(errors.foreign(err))
      }
    }
    return used
  }

  // A page of the bitfield is written again and again. As with 9, storages are given the same
  // memory each time.
  #remember (offset, memory, start, end) {
    const last = this.#bitmap
    const isSame = last.offset === offset && last.bytes.length === end - start
    const { bytes } = isSame ? last : this.#bitmap = { offset, bytes: Buffer.allocUnsafeSlow(end - start) }
    memory.copy(bytes, 0, start, end)
    return bytes
  }

  #carryOut (id, op, file, offset, size) {
    const storage = this.#files[file]
    let isAnswered = false
    const done = (status, value) => {
      if (isAnswered) return
      isAnswered = true
      this.#answer(id, status, value)
    }
    const fail = (err) => this.#isAbsent(storage, file, err) ? done(ABSENT) : done(FAILED, errors.keep(err))
    const plain = (err) => err ? done(FAILED, errors.keep(err)) : done(DONE)
    const orAbsent = (err) => err ? fail(err) : done(DONE)

    // A file that was never asked for has nothing to read, close or destroy.
    if (storage === null) return done(op === READ || op === STAT ? ABSENT : DONE)

    try {
      if (op === READ) storage.read(offset, size, (err, data) => err ? fail(err) : finishRead(data, size, done))
      else if (op === CLEAR) optional(storage, 'del', done, () => storage.del(offset, size, orAbsent))
      else if (op === STAT && !canStat(storage)) done(UNABLE)
      else if (op === STAT) storage.stat((err, stat) => err ? fail(err) : done(DONE, stat ? stat.size : 0))
      else if (op === CLOSE) optional(storage, 'close', done, () => storage.close(plain))
      else if (op === DESTROY) optional(storage, 'destroy', done, () => storage.destroy(orAbsent))
    } catch (err) {
      done(FAILED, errors.keep(err))
    }
  }

  #make (file, opts) {
    const storage = this.#create(FILES[file], opts)
    if (!storage || typeof storage.read !== 'function') throw errors.noStorage()
    return storage
  }

  #isAbsent (storage, file, err) {
    const { code, notFound, message } = errors.said(err)
    return native.feedIoAbsent(this.#handle, file, code, notFound, message, canStat(storage))
  }
}

// Memory for what the core asks for. Storages may keep the bytes that they are given, so none is
// used twice.
class Page {
  constructor (size) {
    this.memory = Buffer.allocUnsafeSlow(size)
    this.numbers = new Float64Array(this.memory.buffer, 0, size >> 3)
    this.used = 0
  }
}

const PAGE = 65536
let page = new Page(PAGE)

// What the core asks of the feed with this handle: numbers from place `start` on, and behind them
// the bytes of writes.
function take (handle) {
  let on = page
  let taken = native.feedTakeIo(handle, on.memory, on.used)
  if (taken < 0) {
    on = new Page(Math.max(PAGE, -taken))
    if (-taken <= PAGE / 4) page = on
    taken = native.feedTakeIo(handle, on.memory, 0)
  }
  return claim(on, taken)
}

function claim (page, taken) {
  const start = page.used / 8
  page.used += 8 * Math.ceil(taken / 8)
  return { page, numbers: page.numbers, memory: page.memory, start, end: page.used }
}

// Nobody has kept anything of it.
function unclaim ({ page, start, end }) {
  if (page.used === end) page.used = 8 * start
}

// As v9 decides it: by the flag that random-access-storage sets, not by the method alone, which it
// always has. Each file for itself.
function canStat (storage) {
  return storage.statable === true && typeof storage.stat === 'function'
}

// Storages may answer twice.
function once (fn) {
  let isOver = false
  return (err) => {
    if (isOver) return
    isOver = true
    fn(err)
  }
}

function optional (storage, method, done, call) {
  if (typeof storage[method] === 'function') call()
  else done(DONE)
}

function finishRead (data, size, done) {
  const buffer = asBuffer(data)
  if (buffer !== null && buffer.length === size) done(DONE, buffer)
  else done(FAILED, errors.keep(errors.storageSize()))
}

// Null for what is not bytes, or not any more.
function asBuffer (data) {
  try {
    return ArrayBuffer.isView(data) || data instanceof ArrayBuffer ? bytes(data) : null
  } catch {
    return null
  }
}

// A storage in the place of one that could not be made.
function broken (err) {
  const fail = () => { throw err }
  return { read: fail, write: fail, del: fail, stat: fail }
}

module.exports = JsStorage
