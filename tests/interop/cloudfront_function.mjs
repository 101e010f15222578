// Runs functions of CloudFront: one JSON line {code, event} in, one line with what `handler` returns out. The code sees
// the globals of ECMAScript alone, as there, and runs in strict mode.
import { createInterface } from 'node:readline'
import { runInNewContext } from 'node:vm'

const handlers = new Map()

for await (const line of createInterface({ input: process.stdin })) {
  const { code, event } = JSON.parse(line)
  if (!handlers.has(code)) handlers.set(code, runInNewContext(`'use strict'; ${code}\nhandler`))
  console.log(JSON.stringify(handlers.get(code)(event)))
}
