'use strict'
// A JavaScript storage at work: a log that lies on a web server as six plain files, as in a bucket,
// and is read from there, range by range.
//   node http-storage.js ./log      puts a log there if there is none, starts a server process for the folder, and reads through it

const { fork } = require('child_process')
const http = require('http')
const rah = require('random-access-http')
const send = require('send')
const hypercore = require('hypercore')

if (process.argv[2] === 'serve') serve(process.argv[3])
else main(process.argv[2] || './log')

async function main (dir) {
  const key = await fill(dir)
  const server = fork(__filename, ['serve', dir])
  const { port } = await new Promise((resolve) => server.once('message', resolve))

  const core = hypercore((name) => rah(`http://127.0.0.1:${port}/${name}`), key, { valueEncoding: 'utf-8' })
  console.log('block 300:', await core.get(300))
  console.log('byte 1000 is in block', (await core.seek(1000))[0])
  console.log('writable:', core.writable)

  // What is read from there is good enough to be served to others.
  const clone = hypercore(hypercore.memory(), key, { valueEncoding: 'utf-8', sparse: true })
  await clone.ready()
  const stream = core.replicate(true, { live: true })
  stream.pipe(clone.replicate(false, { live: true })).pipe(stream)
  console.log('replicated:', await clone.get(7))

  stream.destroy()
  await core.close()
  server.kill()
}

// The secret key stays out of the folder that everybody can read.
async function fill (dir) {
  const core = hypercore(dir, { valueEncoding: 'utf-8', storeSecretKey: false })
  await core.ready()
  if (core.length === 0) await core.append(Array.from({ length: 500 }, (_, i) => `line ${i}`))
  await core.close()
  return core.key
}

function serve (dir) {
  const server = http.createServer((req, res) => send(req, req.url, { root: dir }).pipe(res))
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}
