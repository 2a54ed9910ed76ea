'use strict'
// What the core has done so far, in counts that grow: { steps, looks, events }. A step is one poll
// of an actor, a look one look-up or one element of a walk, an event one that is handed to
// JavaScript. They are of the whole process.

const assert = require('node:assert/strict')
const hypercore = require('./hypercore')
const { turns } = require('./beside')

module.exports = { work, workOf, assertFlat }

const COUNTERS = ['steps', 'looks', 'events']
// What costs no more for each when there are four times as many may vary so much ...
const FLAT = 1.3
// ... and by so many counts an item, for what is done now and then.
const SLACK = 0.1

function work () {
  const read = hypercore[Symbol.for('hypercore.work')]
  assert.equal(typeof read, 'function', 'Hypercore[Symbol.for("hypercore.work")] counts the work of the core')
  const counts = read()
  for (const name of COUNTERS) assert(Number.isSafeInteger(counts[name]), `${name} is ${counts[name]}`)
  return counts
}

// The counts that `run` adds, each divided by `items`. What was done before has come to rest.
async function workOf (items, run) {
  await rest()
  const before = work()
  await run()
  const after = work()
  return Object.fromEntries(COUNTERS.map((name) => [name, (after[name] - before[name]) / items]))
}

// Until nothing is done any more: what is said last may still be on its way.
async function rest () {
  for (let before = -1; before !== work().steps;) {
    before = work().steps
    await turns(100)
  }
}

function assertFlat (small, large, what) {
  for (const name of COUNTERS) {
    assert(large[name] <= FLAT * small[name] + SLACK, `${what}: ${name} an item grow from ${small[name]} to ${large[name]}`)
  }
  assert(COUNTERS.some((name) => small[name] > 0), `${what}: nothing was counted`)
}
