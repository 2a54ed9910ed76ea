'use strict'
// The feed under test: this package, by its own name.

module.exports = require('hypercore')
