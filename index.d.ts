/*
 * Types of the package: `const core = hypercore('./dir')`, `new Hypercore(...)`, `import Hypercore from 'hypercore'`.
 *
 * Every method that takes a last callback gives a promise without it. `T` is what the value encoding makes of a block.
 */

/// <reference types="node" />

import { EventEmitter } from 'events'
import { Duplex, Readable, Writable } from 'stream'

declare function Hypercore (storage: Hypercore.Storage, opts: Hypercore.Options<Buffer> & { valueEncoding?: 'binary' }): Hypercore<Buffer>
declare function Hypercore (storage: Hypercore.Storage, key: Hypercore.Key | null | undefined, opts: Hypercore.Options<Buffer> & { valueEncoding?: 'binary' }): Hypercore<Buffer>
declare function Hypercore (storage: Hypercore.Storage, key?: Hypercore.Key | null): Hypercore<Buffer>
declare function Hypercore (storage: Hypercore.Storage, opts: Hypercore.Options<string> & { valueEncoding: Hypercore.TextEncoding }): Hypercore<string>
declare function Hypercore (storage: Hypercore.Storage, key: Hypercore.Key | null | undefined, opts: Hypercore.Options<string> & { valueEncoding: Hypercore.TextEncoding }): Hypercore<string>
declare function Hypercore<T = any> (storage: Hypercore.Storage, opts: Hypercore.Options<T>): Hypercore<T>
declare function Hypercore<T = any> (storage: Hypercore.Storage, key: Hypercore.Key | null | undefined, opts: Hypercore.Options<T>): Hypercore<T>

declare class Hypercore<T = Buffer> extends EventEmitter {
  constructor (storage: Hypercore.Storage, key?: Hypercore.Key | null, opts?: Hypercore.Options<T>)
  constructor (storage: Hypercore.Storage, opts: Hypercore.Options<T>)

  static discoveryKey (key: Hypercore.Key): Buffer
  static keyPair (seed?: Uint8Array): Hypercore.KeyPair
  /** Files in native memory: a first argument, which may be used again after `close`. */
  static memory (): Hypercore.Memory

  /** Null until the feed is open, unless it was given. */
  key: Buffer | null
  discoveryKey: Buffer | null
  /** Null on a feed that cannot be appended to. */
  secretKey: Buffer | null
  /** In blocks. */
  length: number
  byteLength: number
  live: boolean
  sparse: boolean
  writable: boolean
  readable: boolean
  downloading: boolean
  uploading: boolean
  maxRequests: number
  noiseKeyPair: Hypercore.KeyPair
  readonly peers: Hypercore.Peer[]
  readonly remoteLength: number
  /** Null with the option `stats: false`. */
  readonly stats: { peers: Hypercore.Stats[], totals: Hypercore.Stats } | null
  readonly ifAvailable: Hypercore.Guard
  readonly extensions: Hypercore.Extensions
  timeouts: Hypercore.Timeouts

  readonly opening: boolean
  readonly opened: boolean
  readonly closing: boolean
  readonly closed: boolean
  readonly actives: number

  ready (): Promise<void>
  ready (cb: Hypercore.Done): void
  open (): Promise<void>
  open (cb: Hypercore.Done): void
  close (allowActive?: boolean): Promise<void>
  close (cb: Hypercore.Done): void
  close (allowActive: boolean, cb: Hypercore.Done): void
  /** Holds `close` back until `inactive`. False when it is too late. */
  active (cb?: Hypercore.Done): boolean
  inactive (cb?: (err: Error | null, value?: any) => void, err?: Error | null, value?: any): void
  destroyStorage (): Promise<void>
  destroyStorage (cb: Hypercore.Done): void

  /** Answers with the number of the first block. */
  append (batch: T | T[] | Hypercore.Block | Hypercore.Block[]): Promise<number>
  append (batch: T | T[] | Hypercore.Block | Hypercore.Block[], cb?: Hypercore.Callback<number>): void
  flush (): Promise<number>
  flush (cb: Hypercore.Callback<number>): void
  clear (start: number, end?: number, opts?: object): Promise<void>
  clear (start: number, cb: Hypercore.Done): void
  clear (start: number, end: number | undefined, cb: Hypercore.Done): void
  clear (start: number, end: number | undefined, opts: object | undefined, cb: Hypercore.Done): void

  get<V = T> (index: number, opts?: Hypercore.GetOptions<V> | null): Promise<V>
  get (index: number, cb: Hypercore.Callback<T>): symbol
  get<V = T> (index: number, opts: Hypercore.GetOptions<V> | null | undefined, cb: Hypercore.Callback<V>): symbol
  getBatch<V = T> (start: number, end: number, opts?: Hypercore.GetBatchOptions<V> | null): Promise<V[]>
  getBatch (start: number, end: number, cb: Hypercore.Callback<T[]>): symbol
  getBatch<V = T> (start: number, end: number, opts: Hypercore.GetBatchOptions<V> | null | undefined, cb: Hypercore.Callback<V[]>): symbol
  head<V = T> (opts?: Hypercore.HeadOptions<V> | null): Promise<V>
  head (cb: Hypercore.Callback<T>): void
  head<V = T> (opts: Hypercore.HeadOptions<V> | null | undefined, cb: Hypercore.Callback<V>): void
  has (index: number, cb?: Hypercore.Callback<boolean>): boolean
  has (start: number, end: number | undefined, cb?: Hypercore.Callback<boolean>): boolean
  downloaded (cb?: Hypercore.Callback<number>): number
  downloaded (start?: number, end?: number, cb?: Hypercore.Callback<number>): number
  seek (bytes: number, opts?: Hypercore.SeekOptions | null): Promise<[index: number, offset: number]>
  seek (bytes: number, cb: Hypercore.SeekCallback): symbol
  seek (bytes: number, opts: Hypercore.SeekOptions | null | undefined, cb: Hypercore.SeekCallback): symbol

  update (opts?: number | Hypercore.UpdateOptions | null): Promise<void>
  update (cb: Hypercore.Done): symbol
  update (opts: number | Hypercore.UpdateOptions | null | undefined, cb: Hypercore.Done): symbol
  setExpectedLength (length: number): void
  download (range?: number | number[] | Hypercore.Range | null): Promise<void> & Hypercore.Selection
  download (cb: Hypercore.Done): Hypercore.Selection
  download (range: number | number[] | Hypercore.Range | null | undefined, cb: Hypercore.Done): Hypercore.Selection
  undownload (range?: number | Hypercore.Range | Hypercore.Selection | Promise<unknown>): void
  cancel (request: symbol | Promise<unknown> | Hypercore.Selection): void
  cancel (start: number, end?: number): void

  replicate (initiator: boolean, opts?: Hypercore.ReplicateOptions): Hypercore.Protocol
  replicate (stream: Hypercore.Protocol, opts?: Hypercore.ReplicateOptions): Hypercore.Protocol
  replicate (opts: Hypercore.ReplicateOptions & { initiator: boolean }): Hypercore.Protocol
  setDownloading (downloading: boolean): void
  setUploading (uploading: boolean): void
  registerExtension<M = Buffer> (name: string, handlers?: Hypercore.ExtensionHandlers<M, Hypercore.Peer> | ((extension: Hypercore.FeedExtension<M>) => Hypercore.ExtensionHandlers<M, Hypercore.Peer>)): Hypercore.FeedExtension<M>
  extension (id: number, message: Buffer): void

  createReadStream<V = T> (opts?: Hypercore.ReadStreamOptions<V>): Readable
  createWriteStream (opts?: { maxBlockSize?: number }): Writable

  on<E extends keyof Hypercore.Events> (event: E, listener: (...args: Hypercore.Events[E]) => void): this
  on (event: string | symbol, listener: (...args: any[]) => void): this
  once<E extends keyof Hypercore.Events> (event: E, listener: (...args: Hypercore.Events[E]) => void): this
  once (event: string | symbol, listener: (...args: any[]) => void): this
}

declare namespace Hypercore {
  type Key = Uint8Array | string
  type Block = string | ArrayBufferView
  type Done = (err: Error | null) => void
  type Callback<V> = (err: Error | null, value: V) => void
  type SeekCallback = (err: Error | null, index: number, offset: number) => void
  type TextEncoding = 'utf-8' | 'utf8' | 'ascii' | 'hex' | 'base64' | 'ucs2' | 'ucs-2' | 'utf16le' | 'utf16-le'
  type Encoding<V> = 'binary' | 'json' | 'ndjson' | TextEncoding | Codec<V>
  /** A path, native memory, or a function that makes a storage for each file. */
  type Storage = string | Memory | ((name: FileName, opts: { key?: Buffer, discoveryKey?: Buffer }) => RandomAccess)
  type FileName = 'key' | 'secret_key' | 'tree' | 'data' | 'bitfield' | 'signatures'

  interface Memory { readonly __memory?: never }
  interface Codec<V> { encode (value: V): Uint8Array, decode (buffer: Buffer): V }
  interface KeyPair { publicKey: Buffer, secretKey: Buffer }
  /** An error of this package. */
  interface CodedError extends Error { code: string, errno?: number }

  /** What a storage must do, as random-access-storage has it. */
  interface RandomAccess {
    read (offset: number, size: number, cb: (err: Error | null, data?: any) => void): void
    write (offset: number, data: Buffer, cb: (err: Error | null) => void): void
    del? (offset: number, size: number, cb: (err: Error | null) => void): void
    stat? (cb: (err: Error | null, stat?: any) => void): void
    close? (cb: (err: Error | null) => void): void
    destroy? (cb: (err: Error | null) => void): void
  }

  interface Options<V> {
    key?: Key
    secretKey?: Key | null
    valueEncoding?: Encoding<V>
    /** Make a feed where there is none (true). */
    createIfMissing?: boolean
    /** Replace the feed that is stored there (false). */
    overwrite?: boolean
    force?: boolean
    storeSecretKey?: boolean
    /** Download only what is asked for (false). */
    sparse?: boolean
    /** With `sparse`: always update to the newest length (false). */
    eagerUpdate?: boolean
    live?: boolean
    /** Refuse to open when it cannot be appended to (false). */
    writable?: boolean
    stats?: boolean
    downloading?: boolean
    uploading?: boolean
    maxRequests?: number
    /** The default of `ifAvailable` for `get` and `update` (false). */
    ifAvailable?: boolean
    /** The default of `timeout`, in milliseconds (none). */
    timeout?: number
    timeouts?: Timeouts
    noiseKeyPair?: KeyPair
  }

  interface Timeouts {
    get? (cb: (err?: Error | null) => void): void | Promise<void>
    update? (cb: (err?: Error | null) => void): void | Promise<void>
  }

  interface WaitOptions {
    /** Milliseconds; 0 for none. */
    timeout?: number
    signal?: AbortSignal
    /** A symbol for `cancel`. */
    cancel?: symbol
  }
  interface GetOptions<V> extends WaitOptions { wait?: boolean, ifAvailable?: boolean, onwait?: (index: number) => void, valueEncoding?: Encoding<V> }
  interface GetBatchOptions<V> extends WaitOptions { wait?: boolean, valueEncoding?: Encoding<V> }
  interface UpdateOptions extends WaitOptions { minLength?: number, ifAvailable?: boolean, hash?: boolean, force?: boolean }
  interface HeadOptions<V> extends GetOptions<V>, UpdateOptions { update?: boolean }
  interface SeekOptions extends WaitOptions { wait?: boolean, start?: number, end?: number, hash?: boolean }
  interface Range extends WaitOptions { start?: number, end?: number, linear?: boolean, hash?: boolean, blocks?: number[] }
  interface Selection { start: number, end: number, linear: boolean, hash: boolean, blocks: number[] | null }
  interface ReadStreamOptions<V> {
    start?: number
    end?: number
    snapshot?: boolean
    tail?: boolean
    live?: boolean
    wait?: boolean
    ifAvailable?: boolean
    timeout?: number
    batch?: number
    valueEncoding?: Encoding<V>
    signal?: AbortSignal
  }

  interface Events {
    ready: []
    append: []
    sync: []
    close: []
    error: [err: Error]
    'update-error': [err: Error]
    clear: [start: number, end: number]
    download: [index: number, data: Buffer, peer: Peer | null]
    upload: [index: number, data: Buffer, peer: Peer | null]
    'peer-add': [peer: Peer]
    'peer-open': [peer: Peer]
    'peer-remove': [peer: Peer]
    'remote-update': [peer: Peer]
    replicating: [stream: Protocol]
  }

  interface Stats { downloadedBlocks: number, downloadedBytes: number, uploadedBlocks: number, uploadedBytes: number }

  interface Peer {
    readonly feed: Hypercore<any>
    readonly stream: Channel
    readonly remotePublicKey: Buffer | null
    readonly publicKey: Buffer | null
    readonly remoteAddress: string | null | undefined
    readonly remoteType: string | null
    readonly remoteOpened: boolean
    readonly remoteLength: number
    readonly remoteDownloading: boolean
    readonly remoteUploading: boolean
    readonly remoteAck: boolean
    readonly remoteBitfield: { get (index: number): boolean }
    readonly inflightRequests: unknown[]
    readonly stats: Stats | null
    readonly downloading: boolean
    readonly uploading: boolean
    setDownloading (downloading: boolean): void
    setUploading (uploading: boolean): void
    extension (id: number, message: Buffer): void
    close (): void
    destroy (err?: Error): void
  }

  interface Channel {
    readonly stream: Protocol
    readonly key: Buffer | null
    readonly discoveryKey: Buffer
    readonly opened: boolean
    readonly closed: boolean
    readonly remoteOpened: boolean
    readonly remoteVerified: boolean
    close (): void
    destroy (err?: Error): void
  }

  interface ProtocolOptions {
    live?: boolean
    encrypted?: boolean
    noise?: boolean
    keyPair?: KeyPair
    /** Milliseconds without a byte from the remote after which the stream is destroyed (20000); false or 0 for none. */
    timeout?: number | false
    onauthenticate? (remotePublicKey: Buffer, cb: (err?: Error | null) => void): void | Promise<void>
    onhandshake? (): void
    ondiscoverykey? (discoveryKey: Buffer): void
    onremoteopen? (discoveryKey: Buffer): void
    onextensions? (names: string[]): void
    onchannelclose? (discoveryKey: Buffer, key: Buffer | null): void
  }

  interface ReplicateOptions extends ProtocolOptions {
    initiator?: boolean
    stream?: Protocol
    ack?: boolean
    download?: boolean
    upload?: boolean
    maxRequests?: number
    onfeedauthenticate? (feed: Hypercore<any>, remotePublicKey: Buffer | null, cb: (err?: Error | null) => void): void | Promise<void>
  }

  class Protocol extends Duplex {
    constructor (initiator: boolean, opts?: ProtocolOptions)
    static isProtocolStream (stream: unknown): boolean
    static keyPair (seed?: Uint8Array): KeyPair

    readonly initiator: boolean
    readonly live: boolean
    readonly publicKey: Buffer | null
    readonly remotePublicKey: Buffer | null
    readonly handshakeHash: Buffer | null
    readonly remoteAddress: string | null | undefined
    readonly remoteType: string | null
    readonly bytesSent: number
    readonly bytesReceived: number
    readonly channels: IterableIterator<Channel>
    readonly channelCount: number
    readonly prefinalize: Guard
    readonly state: { publicKey: Buffer | null, remotePublicKey: Buffer | null, handshakeHash: Buffer | null }

    opened (key: Uint8Array): boolean
    remoteOpened (key: Uint8Array): boolean
    remoteVerified (key: Uint8Array): boolean
    close (discoveryKey: Uint8Array): void
    finalize (): void
    ping (): void
    setKeepAlive (ms: number | false): void
    setTimeout (ms: number | false, ontimeout?: () => void): void
    registerExtension<M = Buffer> (name: string, handlers?: ExtensionHandlers<M, null> | ((extension: StreamExtension<M>) => ExtensionHandlers<M, null>)): StreamExtension<M>
  }

  interface Guard {
    readonly waiting: boolean
    wait (): void
    continue (cb?: (err?: any, value?: any) => void, err?: any, value?: any): void
    continueSync (cb?: (err?: any, value?: any) => void, err?: any, value?: any): void
    waitAndContinue (): () => boolean
    ready (fn: () => void): void
    depend (guard: { ready (fn: () => void): void }): void
    destroy (): void
  }

  interface ExtensionHandlers<M, Context> {
    encoding?: Encoding<M> | null
    onmessage? (message: M, context: Context): void
    onerror? (err: Error, context: Context): void
  }
  interface Extension<M> {
    readonly id: number
    readonly name: string
    readonly destroyed: boolean
    encode (message: M): Buffer
    remoteSupports (): boolean
    destroy (): void
  }
  interface FeedExtension<M> extends Extension<M> {
    broadcast (message: M): boolean
    send (message: M, peer: Peer): void
  }
  interface StreamExtension<M> extends Extension<M> {
    send (message: M): void
  }
  interface Extensions extends Iterable<Extension<any>> {
    exclusive: boolean
    readonly length: number
    get (name: string): Extension<any> | null
    names (): string[]
  }
}

export = Hypercore
