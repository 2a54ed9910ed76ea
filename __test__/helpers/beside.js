'use strict'
// The verbs of chapter 35, what each may answer by the model, and the logs that they are tried on.

const { isDeepStrictEqual } = require('node:util')
const { hypercore, ask, link } = require('./index')
const { heldStorage } = require('./held-storage')
const { Model, sameNodes } = require('./model')

const BLOCKS = Array.from({ length: 8 }, (_, i) => `block ${i} ${'x'.repeat(3 * i)}`)
const OTHERS = ['another 5', 'another 6, longer than the one before', 'another 7']
const [EARLY, LATE, ROTTEN, MISSING] = [2, 6, 3, 6]
const { publicKey: KEY, secretKey } = hypercore.keyPair(Buffer.alloc(32, 35))

// Kinds of logs: of which every verb makes sense; those that hold a rotten block.
const COMMON = ['of a writer', 'of a reader', 'with a rotten block', 'of a reader with a rotten block']
const BAD = ['with a rotten block', 'of a reader with a rotten block']

// ## Verbs that read
//
// run(feed, log) -> promise
// answers(model) -> allowed outcomes: { value }, { code }, or a function of the outcome
// among(models)  -> the same, for a verb whose parts may each come before or after a change
// on             -> the kinds of logs that it is tried on; without it, all

const READS = {
  'get of an early block': { run: (feed) => feed.get(EARLY, { wait: false }), answers: (model) => model.get(EARLY) },
  'get of a late block': { run: (feed) => feed.get(LATE, { wait: false }), answers: (model) => model.get(LATE) },
  'get of block 3': {
    run: (feed) => feed.get(ROTTEN, { wait: false }),
    answers: (model) => model.get(ROTTEN),
    effect: (model, { code }) => code === 'EBADBLOCK' && model.forgets && model.isOpen ? model.forgetRotten() : model
  },
  getBatch: { run: (feed) => feed.getBatch(4, 8, { wait: false }), answers: (model) => model.getBatch(4, 8) },
  has: { run: async (feed) => feed.has(LATE), answers: (model) => model.has(LATE).map((value) => ({ value })) },
  downloaded: {
    run: async (feed) => feed.downloaded(0, 8),
    answers: (model) => [({ value }) => !model.isOpen || (value >= model.first(8).count('here') && value <= 8 - model.first(8).count('gone'))]
  },
  seek: { run: (feed) => feed.seek(byteOf(LATE), { wait: false }), answers: (model) => model.seek(byteOf(LATE)) },
  head: {
    run: (feed) => feed.head({ wait: false }),
    // The block that was the last one when it was looked for may be gone when it is read.
    among: (models) => models.flatMap((model) => models.flatMap(({ length }) => model.get(length - 1)))
  },
  proof: {
    run: (feed) => feed.proof(LATE),
    answers: (model) => closed(model) || [{ code: 'ENOPROOF' }, { code: 'ENOSIGNATURE' }, ({ value }) => model.isProof(KEY, LATE, value)]
  },
  getBlockInfo: {
    run: (feed) => feed.getBlockInfo(LATE),
    answers: (model) => closed(model) || (model.length > LATE ? [({ value }) => sameNodes([value], [model.leaf(LATE)])] : [someCode])
  },
  'signature of an early block': { run: (feed) => feed.signature(EARLY), answers: signatureOf },
  'signature of the last block': { run: (feed) => feed.signature(), answers: signatureOf },
  rootHashes: {
    run: (feed) => feed.rootHashes(LATE),
    answers: (model) => closed(model) || (model.length > LATE ? [({ value }) => sameNodes(value, model.roots(LATE + 1))] : [someCode])
  },
  audit: {
    run: (feed) => feed.audit(),
    // What changes meanwhile is counted before or after.
    among: (models) => [...maybeClosed(models), ({ value: { valid, invalid } }) =>
      valid >= Math.min(...models.map((model) => model.count('here'))) && valid <= Math.max(...models.map((model) => model.count('here', 'maybe'))) &&
      invalid <= Math.max(...models.map((model) => model.count('rotten')))]
  },
  createReadStream: {
    run: (feed) => collect(feed.createReadStream({ wait: false })),
    among: (models) => [({ value: { blocks, code } }) => blocks.every((data, i) => models.some((model) => isAllowed(model.get(i), { value: data }))) &&
      (code ? isAllowed([...maybeClosed(models), ...models.flatMap((model) => model.get(blocks.length))], { code }) : models.some((model) => model.length === blocks.length))]
  },
  update: { run: (feed) => feed.update({ ifAvailable: true, minLength: 100 }), answers: () => [{ code: 'ENOUPDATE' }, { code: 'ECLOSED' }] },
  'download of what is here': {
    run: (feed, log) => downloaded(feed, log, { start: 0, end: 2 }, [0, 1]),
    answers: () => [({ value }) => !value, { code: 'ECANCELED' }, { code: 'ECLOSED' }]
  },
  'serving an early block': serving(EARLY, ['of a writer', 'of a reader']),
  'serving a late block': serving(LATE, ['of a writer']),
  'downloading from a peer': {
    onNetwork: true,
    on: ['of a reader'],
    run: async (feed, log) => {
      const remote = hypercore(heldStorage(log.of.writer), KEY)
      log.cleanups.push(() => ask(remote, 'close'))
      await ask(remote, 'ready')
      link(log.t, remote, feed)
      return downloaded(feed, log, { start: 0, end: 8 }, [])
    },
    answers: () => [({ value }) => !value, { code: 'ECANCELED' }, { code: 'ECLOSED' }],
    effect: (model) => model.replace('gone', 'maybe')
  }
}

// ## Verbs that change
// run(feed, log) -> promise, which must not fail; steps(model) -> the models that follow, in order.

const CHANGES = {
  append: { on: ['of a writer'], run: (feed) => feed.append(['block 8', 'block 9']), steps: (model) => [model.clone().append('block 8', 'block 9')] },
  clear: { run: (feed) => feed.clear(1, 4), steps: (model) => [model.clone().set('gone', 1, 4)] },
  'clear of the end': { run: (feed) => feed.clear(5, 8), steps: (model) => [model.clone().set('gone', 5, 8)] },
  truncate: { on: ['of a writer', 'with a rotten block'], run: (feed) => feed.truncate(5), steps: (model) => [model.clone().truncate(5)] },
  'truncate and append': {
    on: ['of a writer'],
    forks: true,
    run: async (feed) => {
      await feed.truncate(5)
      await feed.append(OTHERS)
    },
    steps: (model) => [model.clone().truncate(5), model.clone().truncate(5).append(...OTHERS)]
  },
  put: {
    on: ['of a reader', 'of a reader with a rotten block'],
    run: (feed, log) => feed.put(MISSING, BLOCKS[MISSING], log.of.proof),
    steps: (model) => [model.clone().set('here', MISSING)]
  },
  'audit that forgets': { on: BAD, run: (feed) => feed.audit(), steps: (model) => [model.clone().forgetRotten()] },
  'get that forgets': {
    on: BAD,
    run: (feed) => feed.get(ROTTEN, { wait: false }).catch((err) => { if (err.code !== 'EBADBLOCK' && err.code !== 'ENOTDOWNLOADED') throw err }),
    steps: (model) => [model.forgets ? model.clone().forgetRotten() : model.clone()]
  },
  close: { run: (feed) => feed.close(), steps: (model) => [model.clone().close()] },
  finalize: { on: ['static'], run: (feed) => feed.finalize(), steps: (model) => [model.clone()] }
}

// ## Logs

// Name -> how it is made from `of`, the bytes that were written beforehand: { files, model, opts,
// blocks }.
const LOGS = {
  'of a writer': (of) => ({ files: of.writer, model: new Model(BLOCKS) }),
  'with a rotten block': (of) => ({ files: rotten(of.writer), model: new Model(BLOCKS).set('rotten', ROTTEN) }),
  'of a reader': (of) => ({ files: of.reader, model: new Model(BLOCKS).set('gone', MISSING) }),
  'of a reader with a rotten block': (of) => {
    const model = new Model(BLOCKS).set('gone', MISSING).set('rotten', ROTTEN)
    model.forgets = true
    return { files: rotten(of.reader), model }
  },
  // It has no key to be opened with until it is finalized, so its blocks are appended in the trial.
  static: () => ({ files: {}, model: new Model(BLOCKS), opts: { live: false }, blocks: BLOCKS })
}

let written

// Every verb that reads with every verb that changes, on the kinds of logs where both make sense:
// [kind, read, change].
function pairs () {
  return Object.keys(LOGS).flatMap((kind) => Object.entries(READS).flatMap(([read, { on }]) => Object.entries(CHANGES)
    .filter(([change, verb]) => (on || [kind]).includes(kind) && (verb.on || COMMON).includes(kind))
    .map(([change]) => [kind, read, change])))
}

// What a verb that reads may answer when the log went through these models.
function allowed (read, models) {
  return read.among ? read.among(models) : models.flatMap((model) => read.answers(model))
}

// A log of a kind for one trial.
async function makeLog (t, kind) {
  if (!written) written = write()
  const of = await written
  return { t, of, cleanups: [], ...LOGS[kind](of) }
}

async function write () {
  const writer = heldStorage()
  const feed = hypercore(writer, KEY, { secretKey })
  await feed.append(BLOCKS.slice(0, 5))
  await feed.append(BLOCKS.slice(5))
  const reader = heldStorage()
  const clone = hypercore(reader, KEY)
  await clone.ready()
  for (let i = 7; i >= 0; i--) {
    if (i !== MISSING) await clone.put(i, BLOCKS[i], await feed.proof(i, { digest: clone.digest(i) }))
  }
  const proof = await feed.proof(MISSING, { digest: clone.digest(MISSING) })
  await Promise.all([feed.close(), clone.close()])
  return { writer: writer.files, reader: reader.files, proof }
}

// Files with one byte of a block changed.
function rotten (files) {
  const data = Buffer.from(files.data)
  data[byteOf(ROTTEN) + 2] ^= 1
  return { ...files, data }
}

// ## Help

function byteOf (index) {
  return new Model(BLOCKS).offset(index)
}

function closed (model) {
  return model.isOpen ? null : maybeClosed([model])
}

// A closed log answers so.
function maybeClosed (models) {
  return models.some((model) => !model.isOpen) ? [{ code: 'ECLOSED' }, { code: 'ECANCELED' }] : []
}

function someCode ({ code }) {
  return typeof code === 'string' && code !== 'EBADBLOCK'
}

function signatureOf (model) {
  return closed(model) || [{ code: 'ENOSIGNATURE' }, ({ value }) => model.isSigned(KEY, value.index + 1, value.signature)]
}

function serving (index, on) {
  return {
    on,
    onNetwork: true,
    run: async (feed, log) => {
      const remote = hypercore(heldStorage(), KEY, { sparse: true })
      log.cleanups.push(() => ask(remote, 'close'))
      await ask(remote, 'ready')
      link(log.t, feed, remote)
      const got = remote.get(index)
      log.needs = [index]
      log.giveUp = () => remote.cancel(got)
      return got
    },
    // Nobody answers for a block that is gone.
    answers: (model) => [...model.get(index).filter(({ value }) => value), { code: 'ECANCELED' }, { code: 'ECLOSED' }]
  }
}

// The trial may give it up when one of the blocks that it needs is gone.
function downloaded (feed, log, range, needs) {
  const promise = feed.download(range)
  log.needs = needs
  log.giveUp = () => feed.undownload(promise)
  return promise.then(() => undefined)
}

function collect (stream) {
  return new Promise((resolve) => {
    const blocks = []
    stream.on('data', (data) => blocks.push(data))
    stream.on('error', (err) => resolve({ blocks, code: err.code }))
    stream.on('end', () => resolve({ blocks }))
  })
}

// What became of a promise: { value } or { code, message }; `.over` says whether it has.
function outcome (promise) {
  const result = promise.then((value) => ({ value }), (err) => ({ code: err.code, message: err.message }))
  result.over = false
  result.then(() => { result.over = true })
  return result
}

function isAllowed (allowed, result) {
  return allowed.some((one) => {
    if (typeof one !== 'function') return one.code ? one.code === result.code : !result.code && isDeepStrictEqual(one.value, result.value)
    return one === someCode ? one(result) : !result.code && one(result)
  })
}

async function turns (count) {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

module.exports = { READS, CHANGES, LOGS, pairs, makeLog, outcome, allowed, isAllowed, turns }
