/*
 * Types of the package: `const core = hypercore('./dir')`, `new Hypercore(...)`, `import Hypercore from 'hypercore'`.
 *
 * Every method that takes a last callback gives a promise without it. `T` is what the value encoding makes of a block.
 */

/// <reference types="node" />

import { EventEmitter } from 'events'
import { Readable, Writable } from 'stream'
import * as Types from './lib/stream/protocol-types'

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
  /** What all logs of the process share: sets what is given, and says what is. */
  static engine (opts?: { maxFiles?: number }): { maxFiles: number, openFiles: number }

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
  allowPush: boolean
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
  clear (start: number, end?: number, opts?: { delete?: boolean } | null): Promise<void>
  clear (start: number, cb: Hypercore.Done): void
  clear (start: number, end: number | undefined, cb: Hypercore.Done): void
  clear (start: number, end: number | undefined, opts: { delete?: boolean } | null | undefined, cb: Hypercore.Done): void

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

  /** The node over one block. */
  getBlockInfo (index: number): Promise<Hypercore.Node>
  getBlockInfo (index: number, cb: Hypercore.Callback<Hypercore.Node>): void
  /** The nodes that cover the blocks up to and with `index`. */
  rootHashes (index: number): Promise<Hypercore.Node[]>
  rootHashes (index: number, cb: Hypercore.Callback<Hypercore.Node[]>): void
  /** The first signature that covers a block; the last one without an index. */
  signature (index?: number | null): Promise<Hypercore.Signature>
  signature (cb: Hypercore.Callback<Hypercore.Signature>): void
  signature (index: number | null | undefined, cb: Hypercore.Callback<Hypercore.Signature>): void
  verify (index: number, signature: Uint8Array): Promise<true>
  verify (index: number, signature: Uint8Array, cb: Hypercore.Callback<true>): void
  proof (index: number, opts?: Hypercore.ProofOptions | null): Promise<Hypercore.Proof>
  proof (index: number, cb: Hypercore.Callback<Hypercore.Proof>): void
  proof (index: number, opts: Hypercore.ProofOptions | null | undefined, cb: Hypercore.Callback<Hypercore.Proof>): void
  /** Keeps a proven block; with null only its proof. */
  put (index: number, data: T | Hypercore.Block | null, proof: Hypercore.ProofLike): Promise<void>
  put (index: number, data: T | Hypercore.Block | null, proof: Hypercore.ProofLike, cb: Hypercore.Done): void
  /** Which nodes around a block are here: an option of `proof`. */
  digest (index: number): number
  audit (): Promise<Hypercore.AuditReport>
  audit (cb: Hypercore.Callback<Hypercore.AuditReport>): void
  /** Forks a feed that was shared, if it is appended to later. */
  truncate (length: number): Promise<void>
  truncate (length: number, cb: Hypercore.Done): void
  /** Gives a static feed its key. */
  finalize (): Promise<void>
  finalize (cb: Hypercore.Done): void
  /** What waits for peers, oldest first. */
  pending (): Hypercore.Pending[]

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

  replicate<S extends Hypercore.ForeignStream> (stream: S, opts?: Hypercore.ReplicateOptions): S
  replicate<S extends Hypercore.ForeignStream> (initiator: boolean, opts: Hypercore.ReplicateOptions & { stream: S }): S
  replicate (initiator: boolean, opts?: Hypercore.ReplicateOptions): Hypercore.Protocol
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
  /** An error of this package: its code never changes. Errors of a caller's own functions come out as they are. */
  interface CodedError extends Error { code: ErrorCode, errno?: number }
  type ErrorCode = 'ABORT_ERR' | 'EBADARGUMENT' | 'EBADBLOCK' | 'EBADHEADER' | 'EBADHOOK' | 'EBADKEY' | 'EBADPROOF' | 'EBADPROTOCOL' | 'EBADSIGNATURE' |
    'EBADSTORAGE' | 'EBLOCKTOOBIG' | 'ECANCELED' | 'ECANNOTSEEK' | 'ECHANGED' | 'ECLOSED' | 'EEMPTY' | 'EFORKRISK' | 'EINTERNAL' | 'EKEYMISMATCH' | 'EKEYMISSING' | 'ENODEMISSING' |
    'ENOKEY' | 'ENOPROOF' | 'ENOROOTS' | 'ENOSIGNATURE' | 'ENOTAVAILABLE' | 'ENOTDOWNLOADED' | 'ENOTSTORED' | 'ENOTWRITABLE' | 'ENOUPDATE' | 'EOTHERKEY' | 'ETIMEDOUT' |
    'ERR_STREAM_PREMATURE_CLOSE' | (string & {})

  /** A node of the tree: its place, the hash, the bytes of the blocks below. */
  interface Node { index: number, hash: Buffer, size: number }
  interface Signature { index: number, signature: Buffer }
  interface Proof { nodes: Node[], signature: Buffer | null }
  interface ProofLike { nodes: Array<{ index: number, hash: Uint8Array, size: number }>, signature?: Uint8Array | null }
  interface ProofOptions { digest?: number, hash?: boolean }
  /** `corrupt` does not show in a listing. */
  interface AuditReport { valid: number, invalid: number, readonly corrupt: number[] }
  interface Pending {
    method: 'get' | 'getBatch' | 'seek' | 'update' | 'download'
    /** Milliseconds. */
    waiting: number
    reason: string
    index?: number
    start?: number
    end?: number
    bytes?: number
    length?: number
    blocks?: number[] | null
    hash?: boolean
    linear?: boolean
  }

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
    /** Blocks at hand: bytes to keep, or an object of yours. Nodes of the tree: an object of yours; the core has its own. */
    cache?: false | { data?: number | Cache<Buffer> | false, tree?: number | Cache<Node> | false }
    /** Accepted; the core decides. */
    storageCacheSize?: number
    /** Called before a block is written: an append's value, or what a peer sent (null for a proof alone). */
    onwrite? (index: number, value: any, peer: Peer | null, cb: HookDone): void | Promise<void>
    crypto?: Crypto
    /** The bytes of the blocks are written by somebody else (false). */
    indexing?: boolean
    /** Keep valid blocks that nobody asked for (false). */
    allowPush?: boolean
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

  type HookDone = (err?: Error | null) => void
  interface Cache<V> { get (key: number): V | null | undefined, set (key: number, value: any): void }
  interface Crypto {
    sign? (message: Buffer, secretKey: Buffer, cb: Callback<Uint8Array>): void | Promise<Uint8Array>
    verify? (message: Buffer, signature: Buffer, key: Buffer, cb: Callback<boolean>): void | Promise<boolean>
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
  interface SeekOptions extends WaitOptions { wait?: boolean, ifAvailable?: boolean, start?: number, end?: number, hash?: boolean }
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
    /** The remote has stored what we sent. */
    'peer-ack': [peer: Peer, ack: { start: number, length: number, ack: true }]
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

  interface ReplicateOptions extends ProtocolOptions {
    initiator?: boolean
    stream?: ForeignStream
    ack?: boolean
    download?: boolean
    upload?: boolean
    maxRequests?: number
    onfeedauthenticate? (feed: Hypercore<any>, remotePublicKey: Buffer | null, cb: (err?: Error | null) => void): void | Promise<void>
  }

  type Channel = Types.Channel
  type OptionsMessage = Types.OptionsMessage
  type StatusMessage = Types.StatusMessage
  type HaveMessage = Types.HaveMessage
  type RangeMessage = Types.RangeMessage
  type CancelMessage = Types.CancelMessage
  type RequestMessage = Types.RequestMessage
  type DataMessage = Types.DataMessage
  type ChannelHandlers = Types.ChannelHandlers
  type ForeignStream = Types.ForeignStream
  type ProtocolOptions = Types.ProtocolOptions
  const Protocol: typeof Types.Protocol
  type Protocol = Types.Protocol
  type Guard = Types.Guard
  type ExtensionHandlers<M, Context> = Types.ExtensionHandlers<M, Context>
  type Extension<M> = Types.Extension<M>
  type FeedExtension<M> = Types.FeedExtension<M>
  type StreamExtension<M> = Types.StreamExtension<M>
  type Extensions = Types.Extensions
}

export = Hypercore
