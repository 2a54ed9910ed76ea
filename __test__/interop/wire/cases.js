'use strict'
// What two peers do with each other over a socket. A case is { seed, leech, options }: each side
// runs its function in a process of its own, with `side`: what peer.js made for it. The options go
// to `replicate` on both sides. Each function gives what it saw, which must be the case's `seen`.

const assert = require('node:assert/strict')
const { ask, event, until, sleep, block } = require('../../helpers')

const COUNT = 300

// Long enough for what must not come to come.
const QUIET = 150

module.exports = {
  'everything, live': {
    async seed (side) {
      await side.serve(await side.filled(COUNT))
      await side.told('more')
      await ask(side.feed, 'append', [block(COUNT), block(COUNT + 1)])
    },
    async leech (side) {
      const feed = await side.clone()
      side.connect(feed)
      await until(() => feed.downloaded() === COUNT)
      side.tell('more')
      await until(() => feed.downloaded() === COUNT + 2)
      await side.check(feed, 0, COUNT + 2)
    }
  },

  'everything, not live': {
    options: { live: false },
    async seed (side) {
      await side.serve(await side.filled(COUNT))
      const [stream] = await side.connection()
      await ended(stream)
    },
    async leech (side) {
      const feed = await side.clone()
      await ended(side.connect(feed).stream)
      await side.check(feed, 0, COUNT)
    }
  },

  'sparse: update, get, seek, range, live': {
    async seed (side) {
      await side.serve(await side.filled(COUNT))
      await side.told('more')
      await ask(side.feed, 'append', block(COUNT))
    },
    async leech (side) {
      const feed = await side.clone({ sparse: true })
      side.connect(feed)
      await ask(feed, 'update')
      assert.deepEqual([feed.length, feed.downloaded()], [COUNT, 0])
      for (const i of [123, 0, 299, 124]) assert((await ask(feed, 'get', i)).equals(block(i)))
      const before = Array.from({ length: 203 }, (_, i) => block(i).length).reduce((a, b) => a + b)
      assert.deepEqual(await ask(feed, 'seek', before + 1), [203, 1])
      await ask(feed, 'download', { start: 30, end: 60 })
      assert.equal(feed.downloaded(30, 60), 30)
      const next = ask(feed, 'get', COUNT)
      side.tell('more')
      assert((await next).equals(block(COUNT)))
    }
  },

  'encrypted: false': whole({ encrypted: false }),

  'noise: false': whole({ encrypted: false, noise: false }),

  acks: {
    options: { ack: true },
    seen: { seed: COUNT },
    async seed (side) {
      await side.serve(await side.filled(COUNT))
      const [stream] = await side.connection()
      const acked = new Set()
      stream.on('ack', ({ start, length }) => { for (let i = 0; i < (length || 1); i++) acked.add(start + i) })
      await until(() => acked.size === COUNT)
      return acked.size
    },
    async leech (side) {
      const feed = await side.clone()
      side.connect(feed)
      await until(() => feed.downloaded() === COUNT)
      await side.told('over')
    }
  },

  extensions: {
    seen: { seed: [{ hello: 'seeder' }], leech: [{ hello: 'leecher' }] },
    async seed (side) {
      const heard = []
      const feed = await side.filled(3)
      feed.registerExtension('aaa', {})
      const chat = feed.registerExtension('chat', {
        encoding: 'json',
        onmessage (message, peer) {
          heard.push(message)
          chat.send({ hello: 'leecher' }, peer)
        }
      })
      await side.serve(feed)
      await until(() => heard.length === 1)
      return heard
    },
    async leech (side) {
      const heard = []
      const feed = await side.clone()
      const chat = feed.registerExtension('chat', { encoding: 'json', onmessage: (message) => heard.push(message) })
      feed.registerExtension('zzz', {})
      side.connect(feed)
      await until(() => feed.downloaded() === 3)
      chat.broadcast({ hello: 'seeder' })
      await until(() => heard.length === 1)
      return heard
    }
  },

  'uploading and downloading off and on': {
    async seed (side) {
      await side.serve(await side.filled(COUNT))
      await side.told('mute')
      side.feed.setUploading(false)
      side.tell('muted')
      await side.told('unmute')
      side.feed.setUploading(true)
    },
    async leech (side) {
      const feed = await side.clone({ sparse: true })
      side.connect(feed)
      await ask(feed, 'get', 0)
      feed.setDownloading(false)
      await ask(feed, 'ready') // stock tells its peers then
      await holds(feed, 1, () => feed.setDownloading(true))
      side.tell('mute')
      await side.told('muted')
      await holds(feed, 2, () => side.tell('unmute'))
    }
  },

  'a feed is closed while it replicates': {
    seen: { seed: 1 },
    async seed (side) {
      let gone = 0
      const feed = await side.filled(COUNT)
      feed.on('peer-remove', () => gone++)
      await side.serve(feed)
      await until(() => gone === 1 && feed.peers.length === 1)
      return gone
    },
    async leech (side) {
      const first = await side.clone()
      const { stream } = side.connect(first)
      await until(() => first.downloaded() > 10)
      await ask(first, 'close')
      stream.destroy()
      const second = await side.clone()
      side.connect(second)
      await until(() => second.downloaded() === COUNT)
      await side.check(second, 0, COUNT)
      await side.told('over')
    }
  },

  'the connection is cut and made again': {
    async seed (side) {
      await side.serve(await side.filled(COUNT))
    },
    async leech (side) {
      const feed = await side.clone()
      for (const enough of [20, 120, COUNT]) {
        const { socket, stream } = side.connect(feed)
        await until(() => feed.downloaded() >= enough)
        if (enough === COUNT) break
        socket.destroy()
        if (!stream.destroyed) await event(stream, 'close')
      }
      await side.check(feed, 0, COUNT)
    }
  },

  '64 feeds on one stream': {
    async seed (side) {
      const feeds = await Promise.all(Array.from({ length: 64 }, (_, i) => side.filled(20, i)))
      await side.serve(feeds[0], (stream) => feeds.slice(1).forEach((feed) => side.join(feed, stream)))
      side.tell(feeds.map((feed) => feed.key.toString('hex')).join())
    },
    async leech (side) {
      const keys = (await side.told()).split(',')
      const feeds = await Promise.all(keys.map((key) => side.clone({}, key)))
      const { stream } = side.connect(feeds[0])
      feeds.slice(1).forEach((feed) => side.join(feed, stream))
      await until(() => feeds.every((feed) => feed.downloaded() === 20))
      await Promise.all(feeds.map((feed, i) => side.check(feed, 0, 20, i)))
    }
  },

  'discovery-key is answered late': {
    async seed (side) {
      const feed = await side.filled(COUNT)
      await side.serve(null, (stream) => stream.on('discovery-key', async (discoveryKey) => {
        await sleep(100)
        if (discoveryKey.equals(feed.discoveryKey)) side.join(feed, stream)
        else stream.close(discoveryKey)
      }))
    },
    async leech (side) {
      const feed = await side.clone()
      const other = await side.clone({}, 'cd'.repeat(32))
      const { stream } = side.connect(feed)
      side.join(other, stream)
      await until(() => feed.downloaded() === COUNT && other.peers.length === 0)
      await side.check(feed, 0, COUNT)
    }
  },

  'an idle link is kept alive': {
    options: { timeout: 400 },
    async seed (side) {
      await side.serve(await side.filled(3))
      await side.told('more')
      await ask(side.feed, 'append', block(3))
    },
    async leech (side) {
      const feed = await side.clone()
      const { stream } = side.connect(feed)
      await until(() => feed.downloaded() === 3)
      await sleep(1500)
      assert(!stream.destroyed)
      side.tell('more')
      await until(() => feed.downloaded() === 4)
    }
  },

  'chunks of 1 byte': whole({}, { chunk: 1, count: 60 }),

  'chunks of 1 MiB': whole({}, { chunk: 1 << 20 })
}

// Not in the matrix: they take more than two.
Object.defineProperties(module.exports, {
  'two seeders': {
    value: {
      async seed (side) {
        await side.serve(await side.filled(COUNT))
      },
      async leech (side) {
        const feed = await side.clone({ sparse: true, eagerUpdate: true })
        side.ports.forEach((port) => side.connect(feed, port))
        await until(() => feed.peers.length === 2 && feed.peers.every((peer) => peer.remoteLength === COUNT))
        await ask(feed, 'download', { start: 0, end: COUNT })
        await side.check(feed, 0, COUNT)
        return { length: feed.length, from: feed.peers.map((peer) => peer.stats.downloadedBlocks) }
      }
    }
  },

  chain: {
    value: {
      async middle (side) {
        const feed = await side.clone()
        side.connect(feed)
        await side.serve(feed)
      }
    }
  }
})

// Everything is fetched and checked.
function whole (options, { chunk = 0, count = COUNT } = {}) {
  return {
    options,
    chunk,
    async seed (side) {
      await side.serve(await side.filled(count))
    },
    async leech (side) {
      const feed = await side.clone()
      side.connect(feed)
      await until(() => feed.downloaded() === count)
      await side.check(feed, 0, count)
    }
  }
}

// Both halves of a stream are over, without an error.
function ended (stream) {
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('end', resolve)
    stream.resume?.()
  })
}

// A get is not answered before `go`, and then it is.
async function holds (feed, index, go) {
  let isHere = false
  const getting = ask(feed, 'get', index).then((data) => {
    isHere = true
    return data
  })
  await sleep(QUIET)
  assert(!isHere)
  go()
  assert((await getting).equals(block(index)))
}
