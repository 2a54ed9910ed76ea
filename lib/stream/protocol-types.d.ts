/*
 * Types of streams, channels, extensions and guards; index.d.ts names them in its namespace.
 */

/// <reference types="node" />

import { Duplex } from 'stream'
import Hypercore = require('../..')

export interface Channel {
  readonly stream: Protocol
  readonly state: Protocol['state']
  readonly key: Buffer | null
  readonly discoveryKey: Buffer
  readonly opened: boolean
  readonly closed: boolean
  readonly remoteOpened: boolean
  readonly remoteVerified: boolean
  /** -1 while it is not open. */
  readonly localId: number
  readonly remoteId: number
  handlers: ChannelHandlers | null
  /** These say whether there is room for more. */
  options (message: Partial<OptionsMessage>): boolean
  status (message: Partial<StatusMessage>): boolean
  have (message: { start: number, length?: number, bitfield?: Uint8Array | null, ack?: boolean }): boolean
  unhave (message: { start: number, length?: number }): boolean
  want (message: { start: number, length?: number }): boolean
  unwant (message: { start: number, length?: number }): boolean
  request (message: { index: number, bytes?: number, hash?: boolean, nodes?: number }): boolean
  cancel (message: { index: number, bytes?: number, hash?: boolean }): boolean
  data (message: { index: number, value?: Uint8Array | null, nodes?: Hypercore.ProofLike['nodes'], signature?: Uint8Array | null }): boolean
  extension (id: number, message: Uint8Array): boolean
  close (): void
  destroy (err?: Error): void
}

export interface OptionsMessage { extensions: string[], ack: boolean }
export interface StatusMessage { uploading: boolean, downloading: boolean }
export interface HaveMessage { start: number, length: number, bitfield: Buffer | null, ack: boolean }
export interface RangeMessage { start: number, length: number }
export interface CancelMessage { index: number, bytes: number, hash: boolean }
export interface RequestMessage extends CancelMessage { nodes: number }
export interface DataMessage { index: number, value: Buffer | null, nodes: Hypercore.Node[], signature: Buffer | null }

/** What is heard on a channel; absent fields are filled. */
export interface ChannelHandlers {
  onopen? (): void
  onoptions? (message: OptionsMessage): void
  onstatus? (message: StatusMessage): void
  onhave? (message: HaveMessage): void
  onunhave? (message: RangeMessage): void
  onwant? (message: RangeMessage): void
  onunwant? (message: RangeMessage): void
  onrequest? (message: RequestMessage): void
  oncancel? (message: CancelMessage): void
  ondata? (message: DataMessage): void
  onextension? (id: number, message: Buffer): void
  onclose? (): void
}

/** A protocol stream of this package or of npm `hypercore-protocol` 8. */
export interface ForeignStream {
  readonly initiator: boolean
  readonly state: unknown
  open (key: any, handlers?: any): any
  pipe (destination: any, ...rest: any[]): any
}

export interface ProtocolOptions {
  live?: boolean
  encrypted?: boolean
  noise?: boolean
  keyPair?: Hypercore.KeyPair
  /** Milliseconds without a byte from the remote, or an answer to a request, or until the end of the handshake (20000); false or 0 for none. */
  timeout?: number | false
  onauthenticate? (remotePublicKey: Buffer, cb: (err?: Error | null) => void): void | Promise<void>
  onhandshake? (): void
  ondiscoverykey? (discoveryKey: Buffer): void
  onremoteopen? (discoveryKey: Buffer): void
  onextensions? (names: string[]): void
  onchannelclose? (discoveryKey: Buffer, key: Buffer | null): void
}

export declare class Protocol extends Duplex {
  constructor (initiator: boolean, opts?: ProtocolOptions)
  static isProtocolStream (stream: unknown): boolean
  static keyPair (seed?: Uint8Array): Hypercore.KeyPair

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

  readonly extensions: Extensions
  readonly timeout: { readonly ms: number } | null

  /** Opens the feed with this key, for a program that speaks the protocol itself. */
  open (key: Hypercore.Key, handlers?: ChannelHandlers): Channel
  opened (key: Hypercore.Key): boolean
  remoteOpened (key: Hypercore.Key): boolean
  remoteVerified (key: Hypercore.Key): boolean
  close (discoveryKey: Hypercore.Key): void
  finalize (): void
  ping (): void
  setKeepAlive (ms: number | false): void
  setTimeout (ms: number | false, ontimeout?: () => void): void
  registerExtension<M = Buffer> (name: string, handlers?: ExtensionHandlers<M, null> | ((extension: StreamExtension<M>) => ExtensionHandlers<M, null>)): StreamExtension<M>
}

export interface Guard {
  readonly waiting: boolean
  wait (): void
  continue (cb?: (err?: any, value?: any) => void, err?: any, value?: any): void
  continueSync (cb?: (err?: any, value?: any) => void, err?: any, value?: any): void
  waitAndContinue (): () => boolean
  ready (fn: () => void): void
  depend (guard: { ready (fn: () => void): void }): void
  destroy (): void
}

export interface ExtensionHandlers<M, Context> {
  encoding?: Hypercore.Encoding<M> | null
  onmessage? (message: M, context: Context): void
  onerror? (err: Error, context: Context): void
}
export interface Extension<M> {
  readonly id: number
  readonly name: string
  readonly destroyed: boolean
  encode (message: M): Buffer
  remoteSupports (): boolean
  destroy (): void
}
export interface FeedExtension<M> extends Extension<M> {
  broadcast (message: M): boolean
  send (message: M, peer: Hypercore.Peer): void
}
export interface StreamExtension<M> extends Extension<M> {
  send (message: M): void
}
export interface Extensions extends Iterable<Extension<any>> {
  exclusive: boolean
  readonly length: number
  get (name: string): Extension<any> | null
  names (): string[]
}
