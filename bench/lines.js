'use strict'
// node bench/lines.js: downloads over lines that are long, narrow or stalled.

require('./table')(require('node:path').join(__dirname, 'lines'), ['far', 'stalled', 'behind'])
