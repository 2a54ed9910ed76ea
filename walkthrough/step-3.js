'use strict'
// Step 3: see live updates on the clone: events, update(), and a read loop that follows the writer.
// Run it where step 2 ran.

const { setTimeout } = require('node:timers/promises')
const hypercore = require('hypercore')

main()

async function main () {
  const core = hypercore('./main', { valueEncoding: 'utf-8' })
  await core.ready()

  const clone = hypercore('./clone', core.key, {
    valueEncoding: 'utf-8',
    sparse: true,
    eagerUpdate: true // The clone asks for every new length by itself.
  })

  const firstStream = core.replicate(true, { live: true })
  const cloneStream = clone.replicate(false, { live: true })
  firstStream.pipe(cloneStream).pipe(firstStream)

  // 1. Before the first block: wait until the clone is as long as the core.
  await clone.update(core.length)
  const start = clone.length

  // 2. With eagerUpdate, 'append' tells of every new length. Only the length travels, no block.
  let updates = 0
  clone.on('append', () => updates++)
  await core.append('one')
  await clone.update(start + 1)
  console.log(`Updates seen: ${updates}, blocks fetched of the new ones: ${clone.downloaded(start, clone.length)}`)

  // 3. A live read stream fetches block after block and waits for the next, until the loop is left.
  const writing = write(core, ['two', 'three', 'the end'])
  for await (const block of clone.createReadStream({ start, live: true })) {
    console.log('Live:', block)
    if (block === 'the end') break
  }
  await writing
  console.log(`Blocks fetched of the new ones: ${clone.downloaded(start, clone.length)}`)

  for (const stream of [firstStream, cloneStream]) stream.destroy()
  await clone.close()
  await core.close()
}

// A writer that takes its time.
async function write (core, blocks) {
  for (const block of blocks) {
    await setTimeout(100)
    await core.append(block)
  }
}
