'use strict'
// One measurement in a process of its own: node --expose-gc bench/child.js SITUATION CASE
// ours|stock FOLDER [quick], where a situation is a file. Prints what it measured, as JSON.

const [situation, name, impl, dir, quick] = process.argv.slice(2)
const hypercore = require(impl === 'stock' ? 'hypercore-9' : 'hypercore')

// A peer that is waited for keeps no process alive.
setInterval(() => {}, 1000)

measure().then((result) => {
  process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(0))
}, (err) => {
  console.error(err)
  process.exit(1)
})

function measure () {
  const { measure } = require(require('node:path').resolve(situation))
  return measure({ hypercore, isOurs: impl !== 'stock', dir, quick: quick === 'quick' }, name)
}
