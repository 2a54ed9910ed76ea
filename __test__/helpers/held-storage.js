'use strict'
// A storage function under the test's control: what the feed asks of it is answered when the test
// says so, one by one.
//
//   const storage = heldStorage(bytes)     bytes: { name: Buffer }, copied; a storage without `storage.hold()` answers in nextTick
//   storage.hold()                         from now on everything is kept back
//   const op = await storage.next()        the oldest that is kept back, when there is one: { name, verb, offset, size, release() }
//   storage.pass()                         new ones are answered again; those kept back stay so
//   storage.releaseAll()                   all are answered, and new ones too
//
// A read sees the bytes of the moment when it was asked, so it is stale when it is held; a write
// takes effect when it is released. `reads` and `writes` count what was asked, `bytesRead` and
// `bytesWritten` its bytes, each by the name of the file.

module.exports = { heldStorage }

const COUNTERS = ['reads', 'writes', 'bytesRead', 'bytesWritten']

function heldStorage (bytes = {}) {
  const files = Object.fromEntries(Object.entries(bytes).map(([name, content]) => [name, Buffer.from(content)]))
  const memories = new Map() // name -> memory that the file is the start of
  const held = []
  let isHolding = false
  let arrived = () => {}

  const storage = (name) => file(name)
  Object.assign(storage, {
    files,
    held,
    hold () { isHolding = true },
    pass () { isHolding = false },
    releaseAll () {
      isHolding = false
      while (held.length > 0) held[0].release()
    },
    async next () {
      while (held.length === 0) await new Promise((resolve) => { arrived = resolve })
      return held[0]
    },
    resetCounters () { for (const counter of COUNTERS) storage[counter] = {} }
  })
  storage.resetCounters()
  return storage

  function file (name) {
    return {
      statable: true,
      read (offset, size, cb) {
        count('reads', name, 1)
        count('bytesRead', name, size)
        const content = files[name]
        const data = content && offset + size <= content.length ? Buffer.from(content.subarray(offset, offset + size)) : null
        answer(name, 'read', offset, size, () => data ? cb(null, data) : cb(new Error('Could not satisfy length')))
      },
      write (offset, data, cb) {
        count('writes', name, 1)
        count('bytesWritten', name, data.length)
        const copy = Buffer.from(data)
        answer(name, 'write', offset, data.length, () => {
          write(name, offset, copy)
          cb(null)
        })
      },
      del (offset, size, cb) {
        answer(name, 'del', offset, size, () => {
          remove(name, offset, size)
          cb(null)
        })
      },
      stat (cb) {
        const size = files[name] && files[name].length
        answer(name, 'stat', 0, 0, () => size === undefined ? cb(Object.assign(new Error('No file'), { code: 'ENOENT' })) : cb(null, { size }))
      },
      close (cb) { process.nextTick(cb, null) }
    }
  }

  function answer (name, verb, offset, size, run) {
    if (!isHolding) return process.nextTick(run)
    const op = {
      name,
      verb,
      offset,
      size,
      release () {
        held.splice(held.indexOf(op), 1)
        run()
      }
    }
    held.push(op)
    arrived()
  }

  function write (name, offset, data) {
    const length = Math.max(offset + data.length, files[name] ? files[name].length : 0)
    if (!files[name] || length > files[name].length) files[name] = grown(name, length)
    data.copy(files[name], offset)
  }

  // The file made longer, with zeros. Memory is taken in doubling pieces.
  function grown (name, length) {
    const old = files[name] || Buffer.alloc(0)
    let memory = memories.get(name)
    if (!memory || memory.buffer !== old.buffer || memory.length < length) {
      memory = Buffer.alloc(Math.max(2 * old.length, length))
      old.copy(memory)
      memories.set(name, memory)
    }
    return memory.fill(0, old.length, length).subarray(0, length)
  }

  // As of a file: cut when the range reaches its end, else a hole.
  function remove (name, offset, size) {
    const content = files[name]
    if (!content || offset >= content.length) return
    if (offset + size >= content.length) files[name] = content.subarray(0, offset)
    else content.fill(0, offset, offset + size)
  }

  function count (counter, name, amount) {
    storage[counter][name] = (storage[counter][name] || 0) + amount
  }
}
