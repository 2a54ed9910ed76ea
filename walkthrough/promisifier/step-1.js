'use strict'
// Step 1 as programs for hypercore 9 are written: the callback API, wrapped by
// hypercore-promisifier.

const hypercore = require('hypercore')
const { toPromises } = require('hypercore-promisifier')

main()

async function main () {
  const core = toPromises(hypercore('./main', {
    valueEncoding: 'utf-8' // The blocks will be UTF-8 strings.
  }))

  await core.append(['hello', 'world'])

  console.log('First block:', await core.get(0)) // 'hello'
  console.log('Second block:', await core.get(1)) // 'world'

  await core.close()
}
