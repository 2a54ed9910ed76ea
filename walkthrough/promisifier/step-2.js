'use strict'
// Step 2 as programs for hypercore 9 are written: the callback API, wrapped by
// hypercore-promisifier.

const hypercore = require('hypercore')
const { toPromises } = require('hypercore-promisifier')

main()

async function main () {
  const core = toPromises(hypercore('./main', { valueEncoding: 'utf-8' }))
  await core.ready()
  if (core.length === 0) await core.append(['hello', 'world']) // Step 1 did not run here.

  const clone = toPromises(hypercore('./clone', core.key, {
    valueEncoding: 'utf-8',
    sparse: true, // When replicating, don't eagerly download all blocks.
    eagerUpdate: true // But eagerly fetch length updates from peers.
  }))

  const firstStream = core.replicate(true, { live: true })
  const cloneStream = clone.replicate(false, { live: true })

  // Pipe the streams together to begin replicating.
  firstStream.pipe(cloneStream).pipe(firstStream)

  console.log('First clone block:', await clone.get(0)) // 'hello'
  console.log('Second clone block:', await clone.get(1)) // 'world'

  await core.append(Array.from({ length: 100 }, (_, i) => `block ${i}`))
  await clone.update({ minLength: core.length })
  console.log(`The log has ${core.length} blocks, the clone knows of ${clone.length}`)

  for (const stream of [firstStream, cloneStream]) stream.destroy()
  await clone.close()
  await core.close()
}
