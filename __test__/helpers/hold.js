'use strict'
// A process of its own that holds a core with one block open until it is killed.

const hypercore = require('./hypercore')

const feed = hypercore(process.argv[2])
feed.append('held', (err) => {
  if (err) throw err
  process.stdin.resume()
  console.log('open')
})
