'use strict'
// Many logs on one stream. The reader knows one key, of an index that names the others; the library
// finds each of them by the discovery key that the reader asks for.
//   node many-feeds.js

const hypercore = require('hypercore')

main()

async function main () {
  const library = await fillLibrary(['apples', 'pears', 'plums'])
  const [index] = library.values()

  const ours = new hypercore.Protocol(true, { live: true })
  const theirs = new hypercore.Protocol(false, { live: true })

  // Whoever opens a log here gets it, if it is in the library. Only who knows its key can prove
  // that, and is served.
  theirs.on('discovery-key', (discoveryKey) => {
    const core = library.get(discoveryKey.toString('hex'))
    if (core) core.replicate(theirs, { live: true })
    else theirs.close(discoveryKey)
  })
  ours.pipe(theirs).pipe(ours)

  const catalogue = hypercore(hypercore.memory(), index.key, { valueEncoding: 'json', sparse: true })
  catalogue.replicate(ours, { live: true })
  await catalogue.update()

  for await (const { name, key } of catalogue.createReadStream()) {
    const core = hypercore(hypercore.memory(), key, { valueEncoding: 'utf-8', sparse: true })
    core.replicate(ours, { live: true })
    console.log(`${name}: ${await core.get(1)}`)
  }
  console.log(`${ours.channelCount} logs on one stream`)

  // A log that is not there: the channel is closed, the stream stays.
  const absent = hypercore(hypercore.memory(), hypercore.keyPair().publicKey, { sparse: true })
  absent.on('peer-remove', () => {
    console.log('one is not in the library')
    ours.destroy()
    theirs.destroy()
  })
  absent.replicate(ours, { live: true })
}

// Logs by discovery key; the first one names the others.
async function fillLibrary (names) {
  const index = hypercore(hypercore.memory(), { valueEncoding: 'json' })
  await index.ready()
  const library = new Map([[index.discoveryKey.toString('hex'), index]])
  for (const name of names) {
    const core = hypercore(hypercore.memory(), { valueEncoding: 'utf-8' })
    await core.append([name, `all about ${name}`])
    library.set(core.discoveryKey.toString('hex'), core)
    await index.append({ name, key: core.key.toString('hex') })
  }
  return library
}
