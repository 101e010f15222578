// Resizes with sharp on one thread; one JSON job a line in, one JSON answer {ms, bytes} a line out.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import sharp from 'sharp'

sharp.concurrency(1)
sharp.cache(false)
const inputs = new Map()

for await (const line of createInterface({ input: process.stdin })) {
  const { path, size, format, options } = JSON.parse(line)
  if (!inputs.has(path)) inputs.set(path, readFileSync(path))
  const before = process.cpuUsage()
  const output = await sharp(inputs.get(path), { limitInputPixels: false })
    .autoOrient()
    .resize(size, size, { fit: 'inside', withoutEnlargement: true })
    .toFormat(format, options)
    .toBuffer()
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ ms: (user + system) / 1000, bytes: output.length }))
}
