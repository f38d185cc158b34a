// Minifies tracker.js:   node build.js [where to write]
// The result begins with a hash of the source, so that a stale one is noticed without node. What a browser lacks ends it
// silently.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { minify } from 'terser'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const source = readFileSync(here('tracker.js'), 'utf8')
const { code } = await minify(source, {
  ecma: 2020,
  toplevel: true,
  compress: { passes: 5, unsafe_arrows: true, unsafe_methods: true, booleans_as_integers: true, pure_getters: true, unsafe: true, keep_fargs: false },
  mangle: true,
})
const digest = createHash('sha256').update(source).digest('hex').slice(0, 10)
const target = process.argv[2] || here('../pipelines/collecting/static/tracker.min.js')
writeFileSync(target, `/* Liveshelf, Apache-2.0, ${digest} */\ntry{${code}}catch{}\n`)
