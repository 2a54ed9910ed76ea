'use strict'
// What the situations share: feeds, pipes, and how long the event loop was held.

const { monitorEventLoopDelay, performance } = require('node:perf_hooks')
const ram = require('random-access-memory')

module.exports = { ask, call, memory, fill, pipe, turn, sleep, now, longestHold, delayDuring, ticksDuring, median }

// The same wrapper for both, so that both pay the same for their promises. Several results come as
// an array.
function ask (object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (err, ...values) => {
      if (err) reject(err)
      else resolve(values.length > 1 ? values : values[0])
    })
  })
}

// As a program of today calls ours, which gives promises itself.
function call (object, method, ...args) {
  return object[method](...args)
}

// A storage in memory, the fastest that each has.
function memory (hypercore) {
  return hypercore.memory ? hypercore.memory() : () => ram()
}

async function fill (feed, count, size) {
  const step = Math.min(count, Math.ceil((16 << 20) / Math.max(size, 16)))
  for (let i = 0; i < count; i += step) {
    await ask(feed, 'append', Array.from({ length: Math.min(step, count - i) }, (_, j) => Buffer.alloc(size, i + j)))
  }
}

// Two feeds, connected in this process. Gives both streams.
function pipe (a, b) {
  const one = a.replicate(true, { live: true })
  const other = b.replicate(false, { live: true })
  one.pipe(other).pipe(one)
  return [one, other]
}

function turn () {
  return new Promise((resolve) => setImmediate(resolve))
}

function sleep (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

// Milliseconds.
function now () {
  return Number(process.hrtime.bigint()) / 1e6
}

// Milliseconds that callbacks took at most, between one tick of a 1 ms timer and the next, while
// `work` ran. How late the timer was would also count when the system wakes a thread that sleeps:
// on two cores, beside a busy thread, up to 8 ms.
async function longestHold (work) {
  const { active } = await ticksDuring(work)
  return active.reduce((most, ms) => Math.max(most, ms), 0)
}

// By how many milliseconds each tick of a 1 ms timer was late while `work` ran, and for how many of
// those before it the event loop was not asleep. What is due at the end counts as a tick.
async function ticksDuring (work) {
  await rest()
  const late = []
  const active = []
  let last = now()
  let worked = performance.eventLoopUtilization().active
  const tick = () => {
    const at = now()
    late.push(Math.max(0, at - last - 1))
    last = at
    const before = worked
    worked = performance.eventLoopUtilization().active
    active.push(worked - before)
  }
  const timer = setInterval(tick, 1)
  try {
    await work()
  } finally {
    clearInterval(timer)
    tick()
  }
  return { late, active }
}

// What was left behind is collected now, not while something is measured: V8 holds the loop for up
// to 9 ms to free 256 MiB of buffers.
async function rest () {
  if (global.gc) global.gc()
  await sleep(20)
}

// The 99th percentile of the event loop's delay in milliseconds while `work` ran.
async function delayDuring (work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  await rest()
  histogram.enable()
  await work()
  await turn()
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

function median (numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]
}
