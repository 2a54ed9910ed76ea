// The types as an ES module sees them. Compiled, never run.

import Hypercore from 'hypercore'

const feed = new Hypercore<string>('./dir', { valueEncoding: 'utf-8' })
const stream: Hypercore.Protocol = new Hypercore.Protocol(true)
export const length: Promise<string> = feed.replicate(stream).destroyed ? feed.get(0) : feed.head()
