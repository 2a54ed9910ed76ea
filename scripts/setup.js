'use strict'
// Set-up for every command: JavaScript packages and the release build of the addon, each only when
// stale. Run by hand: node scripts/setup.js. It sets the examples up, too.

const { spawnSync } = require('node:child_process')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..')
const STAMP = path.join(ROOT, 'target', 'addon.stamp')

module.exports = { setup, install, ROOT }

function setup () {
  install('.')
  const wanted = addonHash()
  if (wanted === stampedHash()) return
  npm('.', 'run', '--silent', 'build')
  fs.mkdirSync(path.dirname(STAMP), { recursive: true })
  fs.writeFileSync(STAMP, wanted)
}

// The packages of a folder with a lockfile.
function install (dir) {
  if (packagesAreFresh(dir)) return
  npm(dir, 'ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error')
}

// What npm installed is listed in node_modules/.package-lock.json, in the lockfile's own terms.
// What is optional, or this package itself, need not be there.
function packagesAreFresh (dir) {
  const wanted = readJson(`${dir}/package-lock.json`).packages
  const installed = readJson(`${dir}/node_modules/.package-lock.json`)?.packages
  if (!installed) return false
  return Object.keys(wanted).every((name) => {
    if (!name.includes('node_modules/') || wanted[name].optional) return true
    return installed[name]?.version === wanted[name].version
  })
}

// Contents, not times: a fresh checkout of the same sources is not stale.
function addonHash () {
  const hash = crypto.createHash('sha256')
  const { napi, scripts } = readJson('package.json')
  hash.update(JSON.stringify([napi, scripts.build, process.platform, process.arch]))
  for (const file of ['Cargo.toml', 'Cargo.lock', 'build.rs', ...sources('src')]) {
    hash.update(file + '\0').update(fs.readFileSync(path.join(ROOT, file)))
  }
  return hash.digest('hex')
}

function stampedHash () {
  const built = fs.readdirSync(path.join(ROOT, 'lib')).filter((name) => name.endsWith('.node') || name === 'native.js')
  if (built.length < 2 || !fs.existsSync(STAMP)) return null
  return fs.readFileSync(STAMP, 'utf8')
}

function sources (dir) {
  return fs.readdirSync(path.join(ROOT, dir), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => entry.isDirectory() ? sources(`${dir}/${entry.name}`) : [`${dir}/${entry.name}`])
}

function readJson (file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8'))
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw err
  }
}

// npm says where it lives when it started us; else it is on the PATH.
function npm (dir, ...args) {
  console.log(`> npm ${args.join(' ')}${dir === '.' ? '' : ` in ${dir}`}`)
  const script = process.env.npm_execpath
  const options = { cwd: path.join(ROOT, dir), stdio: 'inherit' }
  const { status } = script
    ? spawnSync(process.execPath, [script, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
  if (status !== 0) throw new Error(`npm ${args[0]} failed`)
}

if (require.main === module) {
  setup()
  install('examples')
}
