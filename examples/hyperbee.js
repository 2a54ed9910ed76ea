'use strict'
// A key-value store in a log: hyperbee 1 on this package, written on one side and read on the
// other. Only what is asked for travels.
//   node hyperbee.js

const Hyperbee = require('hyperbee')
const hypercore = require('hypercore')

const ENCODINGS = { keyEncoding: 'utf-8', valueEncoding: 'json' }

main()

async function main () {
  const core = hypercore(hypercore.memory())
  const bee = new Hyperbee(core, ENCODINGS)

  // Put and get.
  await bee.put('fruit/apple', { color: 'red' })
  await bee.put('fruit/banana', { color: 'yellow' })
  await bee.put('stone/granite', { color: 'grey' })
  console.log('fruit/apple:', (await bee.get('fruit/apple')).value.color)

  // A batch is one append.
  const batch = bee.batch()
  for (let i = 0; i < 1000; i++) await batch.put(`number/${String(i).padStart(4, '0')}`, { i })
  await batch.flush()
  console.log('version:', bee.version)

  // A reader, somewhere else.
  const clone = hypercore(hypercore.memory(), core.key, { sparse: true })
  await clone.ready()
  const stream = core.replicate(true, { live: true })
  stream.pipe(clone.replicate(false, { live: true })).pipe(stream)
  const copy = new Hyperbee(clone, { ...ENCODINGS, readonly: true })

  console.log('number/0500 on the clone:', (await copy.get('number/0500')).value.i)
  console.log(`blocks fetched for it: ${clone.downloaded()} of ${clone.length}`)

  // Ranges, in order.
  for await (const { key } of copy.createReadStream({ gte: 'fruit/', lt: 'fruit0' })) console.log('in range:', key)

  // Old versions stay.
  await bee.put('fruit/apple', { color: 'green' })
  console.log('now:', (await copy.get('fruit/apple')).value.color)
  console.log('then:', (await copy.checkout(4).get('fruit/apple')).value.color)

  // Everything that happened, newest first.
  for await (const { seq, type, key } of copy.createHistoryStream({ reverse: true, limit: 2 })) console.log('history:', seq, type, key)

  stream.destroy()
  await core.close()
  await clone.close()
}
