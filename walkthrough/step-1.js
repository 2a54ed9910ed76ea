'use strict'
// Step 1: create a writable Hypercore, append two blocks and read them.

const hypercore = require('hypercore')

main()

async function main () {
  const core = hypercore('./main', {
    valueEncoding: 'utf-8' // The blocks will be UTF-8 strings.
  })

  // One block or an array of blocks; answers with the place of the first.
  const seq = await core.append(['hello', 'world'])

  console.log('Key:', core.key.toString('hex'))
  console.log(`Appended blocks ${seq} and ${seq + 1}, the log has ${core.length} blocks now`)
  console.log('First block:', await core.get(0)) // 'hello'
  console.log('Second block:', await core.get(1)) // 'world'

  await core.close()
}
