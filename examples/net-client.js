'use strict'
// A log over TCP, the reading side: fetches the last blocks of what net-server.js serves, and
// nothing else.
//   node net-client.js ./copy KEY PORT [how many]

const net = require('net')
const hypercore = require('hypercore')

main(...process.argv.slice(2))

async function main (dir, key, port, count = '10') {
  const core = hypercore(dir, key, { valueEncoding: 'utf-8', sparse: true })
  await core.ready()

  const socket = net.connect(Number(port), '127.0.0.1')
  socket.pipe(core.replicate(true, { live: true })).pipe(socket)

  // The proven length, if the server has more than this copy.
  await core.update({ ifAvailable: true, timeout: 5000 }).catch((err) => { if (err.code !== 'ENOUPDATE') throw err })

  const start = Math.max(core.length - Number(count), 0)
  const lines = await core.getBatch(start, core.length, { timeout: 5000 })
  lines.forEach((line, i) => console.log(`${start + i}: ${line}`))
  console.log(`${core.downloaded()} of ${core.length} blocks are here`)

  socket.destroy()
  await core.close()
}
