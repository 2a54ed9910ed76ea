'use strict'
// Step 2: create a read-only clone of the core from step 1 and replicate. Run it where step 1 ran.

const hypercore = require('hypercore')

main()

async function main () {
  const core = hypercore('./main', { valueEncoding: 'utf-8' })
  await core.ready()
  if (core.length === 0) await core.append(['hello', 'world']) // Step 1 did not run here.

  const clone = hypercore('./clone', core.key, {
    valueEncoding: 'utf-8',
    sparse: true, // When replicating, don't eagerly download all blocks.
    eagerUpdate: true // But eagerly fetch length updates from peers.
  })

  const firstStream = core.replicate(true, { live: true })
  const cloneStream = clone.replicate(false, { live: true })

  // Pipe the streams together to begin replicating.
  firstStream.pipe(cloneStream).pipe(firstStream)

  console.log('First clone block:', await clone.get(0)) // 'hello'
  console.log('Second clone block:', await clone.get(1)) // 'world'

  // The writer goes on; the clone learns the new length, and fetches no block that nobody asked
  // for.
  const added = await core.append(Array.from({ length: 100 }, (_, i) => `block ${i}`))
  await clone.update(core.length)
  console.log(`The log has ${core.length} blocks, the clone knows of ${clone.length}`)
  console.log('Last clone block:', await clone.get(added + 99)) // 'block 99'
  console.log(`The clone holds ${clone.downloaded()} blocks`)

  for (const stream of [firstStream, cloneStream]) stream.destroy()
  await clone.close()
  await core.close()
}
