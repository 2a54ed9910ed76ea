'use strict'
// What somebody waits for while everything else is being downloaded in order over the same narrow
// line, 20 ms one way: seconds at the median; and which part of the line the download uses.

const { median } = require('../neighbour/kit')
const { ask, reader, sleep, writer } = require('./kit')
const { connect } = require('./line')

const MB = 1e6
const CASES = {
  '16 KiB, 1 MB/s': { size: 16 * 1024, rate: MB, goal: 0.15 },
  '64 KiB, 1 MB/s': { size: 64 * 1024, rate: MB, goal: 0.35 },
  '16 KiB, 4 MB/s': { size: 16 * 1024, rate: 4 * MB, goal: 0.06 }
}
const MANY = '20 logs'
const LOGS = 20
const GETS = 9
const SECONDS = 8

module.exports = {
  rows: Object.entries(CASES).flatMap(([name, { goal }]) => [
    { case: name, measure: 'get', title: `a get behind a download, blocks of ${name}`, unit: 's', goal },
    { case: name, measure: 'idle', title: 'the same: part of the line that is not used', unit: '%', goal: 5 },
    { case: name, measure: 'log', title: 'the same: a block of another log', unit: 's', goal: 0.2 },
    { case: name, measure: 'echo', title: 'the same: an extension message and its echo', unit: 's', goal: 0.2 }
  ]).concat({ case: MANY, measure: 'get', title: 'a block of another log, behind 20 that download 16 KiB, 1 MB/s', unit: 's', goal: 0.4 }),
  async measure ({ hypercore }, name) {
    if (name === MANY) return { get: await behindMany(hypercore) }
    const { size, rate } = CASES[name]
    const blocks = Math.ceil(2 * SECONDS * rate / size)
    const [feed, other] = [await writer(hypercore, blocks, size), await writer(hypercore, GETS + 1, 100)]
    const [clone, others] = [await reader(hypercore, feed.key, { sparse: true }), await reader(hypercore, other.key, { sparse: true })]
    const echo = echoOf(feed, clone)
    const [a, b] = [feed.replicate(true, { live: true }), clone.replicate(false, { live: true })]
    other.replicate(a, { live: true })
    others.replicate(b, { live: true })
    connect(a, b, { delay: 20, rate })
    await ask(clone, 'update')
    await ask(others, 'update')
    clone.download({ start: 0, end: blocks, linear: true })
    await sleep(2000)
    const [began, before] = [performance.now(), clone.downloaded()]
    const times = { get: [], log: [], echo: [] }
    for (let i = 0; i < GETS; i++) {
      times.get.push(await timed(() => ask(clone, 'get', blocks - 1 - 3 * i)))
      times.log.push(await timed(() => ask(others, 'get', i)))
      times.echo.push(await timed(echo))
      await sleep(100)
    }
    const part = (clone.downloaded() - before) * size / (rate * (performance.now() - began) / 1000)
    return { get: median(times.get), log: median(times.log), echo: median(times.echo), idle: 100 * (1 - part) }
  }
}

async function behindMany (hypercore) {
  const feeds = await Promise.all(Array.from({ length: LOGS }, () => writer(hypercore, 100, 16 * 1024)))
  const other = await writer(hypercore, GETS, 100)
  const clones = await Promise.all([...feeds, other].map((feed) => reader(hypercore, feed.key, { sparse: true })))
  const [a, b] = [other.replicate(true, { live: true }), clones[LOGS].replicate(false, { live: true })]
  for (const [i, feed] of feeds.entries()) {
    feed.replicate(a, { live: true })
    clones[i].replicate(b, { live: true })
  }
  connect(a, b, { delay: 20, rate: MB })
  await Promise.all(clones.map((clone) => ask(clone, 'update')))
  for (const clone of clones.slice(0, LOGS)) clone.download({ start: 0, end: 100 })
  await sleep(2000)
  const times = []
  for (let i = 0; i < GETS; i++) {
    times.push(await timed(() => ask(clones[LOGS], 'get', i)))
    await sleep(100)
  }
  return median(times)
}

function echoOf (feed, clone) {
  const there = feed.registerExtension('echo', { onmessage: (message, peer) => there.send(message, peer) })
  let heard
  const here = clone.registerExtension('echo', { onmessage: () => heard() })
  return () => new Promise((resolve) => {
    heard = resolve
    here.broadcast(Buffer.from('echo'))
  })
}

async function timed (work) {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}
