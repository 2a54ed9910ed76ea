'use strict'
// A log over TCP, the serving side: appends what comes in on stdin, line by line, and serves it to
// everybody who has the key.
//   node net-server.js ./log [port]       prints the key and the port, then follow it with net-client.js

const net = require('net')
const readline = require('readline')
const hypercore = require('hypercore')

main(...process.argv.slice(2))

async function main (dir = './log', port = '0') {
  const core = hypercore(dir, { valueEncoding: 'utf-8' })
  await core.ready()

  const sockets = new Set()
  const server = net.createServer((socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)))
    const stream = core.replicate(false, { live: true })
    socket.on('error', () => {}) // the remote went away
    socket.pipe(stream).pipe(socket)
  })
  server.listen(Number(port), '127.0.0.1', () => {
    console.log(JSON.stringify({ key: core.key.toString('hex'), port: server.address().port }))
  })

  for await (const line of readline.createInterface({ input: process.stdin })) await core.append(line)

  // The end of the input is the end of the server.
  server.close()
  for (const socket of sockets) socket.destroy()
  await core.close()
}
