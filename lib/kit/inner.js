/*
 * Inner: the symbol under which feeds, streams, peers and memories keep what is nobody's business.
 *
 * Programs hang their own properties on a feed, so ours must not lie about under names.
 */
'use strict'

module.exports = Symbol('hypercore')
