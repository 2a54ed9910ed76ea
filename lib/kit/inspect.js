/*
 * Inspect: what `console.log` prints of a feed or a stream.
 *
 * Source: the layout of hypercore@9.12.0 and hypercore-protocol@8.0.7; keys are shortened as by
 * pretty-hash@1.0.1.
 */
'use strict'

// `title(` and a line for each property. Buffers print as `abcdef..12`.
function summary (title, properties, opts) {
  const indent = ' '.repeat(opts.indentationLvl || 0)
  let text = title + '(\n'
  for (const [name, value] of Object.entries(properties)) {
    const style = Buffer.isBuffer(value) || value === null ? 'string' : typeof value
    text += indent + '  ' + name + ': ' + opts.stylize(short(value), style) + '\n'
  }
  return text + indent + ')'
}

function short (value) {
  if (!Buffer.isBuffer(value)) return String(value)
  const hex = value.toString('hex')
  return hex.length > 8 ? hex.slice(0, 6) + '..' + hex.slice(-2) : hex
}

module.exports = { summary, short }
