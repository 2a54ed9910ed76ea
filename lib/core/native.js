/*
 * Native: the core itself, as the build made it.
 *
 * `npm run build` writes native.js, which finds the addon for this machine, and the addon into lib/, beside
 * the rooms. Only this module names it.
 */
'use strict'

module.exports = require('../native')
