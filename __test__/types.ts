// What the types must allow and must refuse. Compiled, never run.

import hypercore = require('hypercore')
import type { Duplex } from 'node:stream'

async function promises (): Promise<void> {
  const feed = hypercore('./dir', { valueEncoding: 'utf-8', createIfMissing: false, storeSecretKey: false })
  const same = new hypercore((name: string) => storage(name), feed.key, { sparse: true, eagerUpdate: true })
  hypercore(hypercore.memory(), 'aa'.repeat(32))

  await feed.ready()
  const seq: number = await feed.append(['a', 'b'])
  const block = await feed.get(seq, { wait: true, timeout: 100, valueEncoding: 'json' })
  const batch = await feed.getBatch(0, 2)
  const [index, offset]: [number, number] = await feed.seek(5)
  await feed.update({ minLength: index + offset, ifAvailable: true })
  await feed.update(7)
  await feed.clear(0, 1)
  await feed.head()
  await feed.flush()
  for await (const one of feed.createReadStream({ live: true, start: 1 })) console.log(one, block, batch)
  await same.close()
}

function callbacks (feed: hypercore): void {
  feed.ready((err) => console.log(err?.message))
  feed.append('x', (err, seq) => console.log(err, seq?.toFixed()))
  const id: symbol = feed.get(0, (err, block) => console.log(err, block))
  feed.cancel(id)
  feed.cancel(0, 5)
  const selection = feed.download({ start: 0, end: 10, linear: true }, () => {})
  feed.undownload(selection)
  feed.seek(10, (err, index, offset) => console.log(err, index, offset))
  feed.close(() => {})
}

function properties (feed: hypercore): void {
  const length: number = feed.length + feed.byteLength + feed.remoteLength + feed.downloaded()
  const flags: boolean = feed.writable || feed.readable || feed.opened || feed.closed || feed.has(length)
  const key: Buffer | null = feed.key || feed.discoveryKey || feed.secretKey
  const peers = feed.peers.map((peer) => peer.remoteLength)
  feed.on('download', (index, data) => console.log(index.toFixed(), data.length))
  feed.on('append', () => console.log(flags, key, peers))
  feed.on('peer-add', (peer) => console.log(peer.remotePublicKey, feed.stats))
  // @ts-expect-error length is read only to nobody else than the feed
  feed.length = 'seven'
}

function streams (feed: hypercore): void {
  const stream = feed.replicate(true, { live: true, encrypted: false, noise: false, download: true, upload: false })
  const duplex: Duplex = stream
  duplex.pipe(feed.replicate(false, { ack: true })).pipe(duplex)
  feed.replicate(stream, { live: true })
  // @ts-expect-error somebody must start
  feed.replicate()
}

async function proofs (feed: hypercore, reader: hypercore<string>): Promise<void> {
  const { nodes, signature }: hypercore.Proof = await feed.proof(0, { digest: reader.digest(0), hash: false })
  await reader.put(0, 'value', { nodes, signature })
  reader.put(0, null, { nodes }, (err) => console.log(err))
  const last: hypercore.Signature = await feed.signature()
  const isTrue: true = await feed.verify(last.index, last.signature)
  feed.signature((err, { index }) => console.log(err, index, isTrue))
  const sizes: number[] = (await feed.rootHashes(1)).map(({ size }) => size)
  const { hash } = await feed.getBlockInfo(0)
  const { valid, invalid, corrupt } = await feed.audit()
  await feed.truncate(valid + invalid + corrupt.length + hash.length + sizes.length)
  feed.finalize((err) => console.log(err))
  for (const { method, waiting, reason } of feed.pending()) console.log(method, waiting.toFixed(), reason)
  // @ts-expect-error a proof has nodes
  await feed.put(0, 'x', {})
}

function hooks (): void {
  hypercore('./dir', {
    onwrite: async (index, value, peer) => console.log(index, value, peer?.remoteLength),
    crypto: { sign: async (message, secretKey) => Buffer.concat([message, secretKey]), verify: (message, signature, key, cb) => cb(null, signature.equals(message)) },
    cache: { data: 1024, tree: new Map<number, hypercore.Node>() },
    storageCacheSize: 0,
    indexing: true,
    allowPush: true
  })
  hypercore('./dir', { cache: false, onwrite: (index, value, peer, cb) => cb() })
  // @ts-expect-error a hook is a function
  hypercore('./dir', { onwrite: 7 })
}

function protocol (feed: hypercore, foreign: hypercore.ForeignStream & { mine: string }): void {
  const stream = new hypercore.Protocol(true, { live: true, onauthenticate: async () => {}, timeout: false })
  const channel: hypercore.Channel = stream.open(feed.key ?? 'aa', {
    onhave ({ start, length, bitfield }) { channel.request({ index: start + length + (bitfield?.length ?? 0) }) },
    ondata ({ value, nodes, signature }) { console.log(value?.length, nodes[0]?.hash, signature) },
    onclose () {}
  })
  const hasRoom: boolean = channel.data({ index: 0, value: new Uint8Array(1), nodes: [] })
  const mine: string = feed.replicate(foreign, { live: true }).mine + feed.replicate(true, { stream: foreign }).mine
  console.log(hasRoom, mine, [...stream.channels].length, stream.timeout?.ms)
  // @ts-expect-error a request names a block
  channel.request({})
}

function failures (err: hypercore.CodedError): boolean {
  return err.code === 'ETIMEDOUT' || err.code === 'ECANCELED'
}

declare function storage (name: string): { read: (offset: number, size: number, cb: (err: Error | null, data?: Buffer) => void) => void, write: (offset: number, data: Buffer, cb: (err: Error | null) => void) => void }

export { promises, callbacks, properties, streams, proofs, hooks, protocol, failures }
