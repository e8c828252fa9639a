// express-session with connect-redis, as their READMEs set them up. The pages are told in bench/races/peers/gate.py.

import { readFileSync } from "node:fs"
import net from "node:net"
import { RedisStore } from "connect-redis"
import express from "express"
import session from "express-session"
import { createClient } from "redis"

const { RACES_REDIS, RACES_GATE, RACES_FD, RACES_SECRET } = process.env

const client = createClient({ url: RACES_REDIS })
await client.connect()

const app = express()
app.use(
  session({
    store: new RedisStore({ client }),
    resave: false,
    saveUninitialized: false,
    secret: RACES_SECRET,
  }),
)

const gate = () =>
  new Promise((resolve, reject) => {
    const line = net.connect(Number(RACES_GATE), "127.0.0.1")
    line.on("error", reject)
    line.on("end", resolve)
    line.resume()
  })

app.post("/login", (req, res, next) => {
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = "ada"
    req.session.save((failed) => (failed ? next(failed) : res.json({})))
  })
})

app.post("/logout", (req, res, next) => {
  req.session.user = null
  req.session.save((error) => {
    if (error) return next(error)
    req.session.regenerate((failed) => (failed ? next(failed) : res.json({})))
  })
})

app.post("/write", async (req, res) => {
  const saw = req.session.user ?? null
  if (req.query.gate) await gate()
  req.session[req.query.field] = 1
  res.json({ saw })
})

app.get("/session", (req, res) => {
  const { cookie, user, ...fields } = req.session
  res.json({ user: user ?? null, fields })
})

app.get("/versions", (req, res) => {
  const version = (name) =>
    JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version
  const packages = ["express-session", "connect-redis", "express", "redis"].map((name) => [name, version(name)])
  res.json({ ...Object.fromEntries(packages), node: process.versions.node })
})

app.listen({ fd: Number(RACES_FD) })
