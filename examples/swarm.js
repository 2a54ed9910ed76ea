'use strict'
// Two processes that find each other by the discovery key, through Hyperswarm. The DHT is a small
// one that this program starts on loopback; leave `dht` out and the same code works in the world.
//   node swarm.js

const { fork } = require('child_process')
const DHT = require('hyperdht')
const createTestnet = require('hyperdht/testnet')
const Hyperswarm = require('hyperswarm')
const hypercore = require('hypercore')

const ROLES = { writer, reader }

const [role, ...args] = process.argv.slice(2)
if (role) ROLES[role](...args)
else main()

async function main () {
  const dht = await createTestnet(3, { host: '127.0.0.1' })
  const bootstrap = JSON.stringify(dht.bootstrap)
  const writer = fork(__filename, ['writer', bootstrap])
  writer.once('message', ({ key }) => {
    const reader = fork(__filename, ['reader', bootstrap, key])
    reader.on('exit', async (code) => {
      writer.kill()
      await dht.destroy()
      process.exitCode = code
    })
  })
}

async function writer (bootstrap) {
  const core = hypercore(hypercore.memory(), { valueEncoding: 'utf-8' })
  await core.append(['found', 'in the swarm'])
  const swarm = join(core, bootstrap, { server: true, client: false })
  await swarm.flush()
  process.send({ key: core.key.toString('hex') })
}

async function reader (bootstrap, key) {
  const core = hypercore(hypercore.memory(), key, { valueEncoding: 'utf-8', sparse: true })
  await core.ready()
  const swarm = join(core, bootstrap, { server: false, client: true })
  const [one, other] = await Promise.all([core.get(0), core.get(1)])
  console.log(one, other)
  await swarm.destroy()
  process.disconnect()
}

// The topic is the discovery key: it tells nobody how to read the log.
function join (core, bootstrap, options) {
  // On loopback there is no firewall to find a way through.
  const dht = new DHT({ bootstrap: JSON.parse(bootstrap), host: '127.0.0.1', firewalled: false })
  const swarm = new Hyperswarm({ dht })
  swarm.on('connection', (connection, { client }) => {
    connection.on('error', () => {})
    connection.pipe(core.replicate(client, { live: true })).pipe(connection)
  })
  swarm.join(core.discoveryKey, options)
  return swarm
}
