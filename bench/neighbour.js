'use strict'
// node bench/neighbour.js: how this package treats the program that it lives in.

require('./table')(require('node:path').join(__dirname, 'neighbour'),
  ['loop', 'holds', 'audit', 'idle', 'logs', 'broadcast', 'list', 'cancels', 'clear'])
