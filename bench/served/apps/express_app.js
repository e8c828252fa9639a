// Express on Node: bare, and express-session with connect-redis, from the packages of bench/races/express.
// The pages are told in bench/served/apps/shared.py.

const { createRequire } = require("node:module")
const packages = createRequire(require.resolve("../../races/express/package.json"))
const express = packages("express")
const { SERVED_KIND, SERVED_REDIS, SERVED_PORT, SERVED_SECRET } = process.env

const app = express()
const text = (res, body) => res.type("text/plain").send(body)

async function start() {
  if (SERVED_KIND === "bare") {
    const bare = (req, res) => text(res, "user-100 administrator")
    app.get("/read", bare)
    app.post("/login", bare)
    app.post("/write", bare)
  } else {
    const { RedisStore } = packages("connect-redis")
    const client = packages("redis").createClient({ url: SERVED_REDIS })
    await client.connect()
    const session = packages("express-session")
    const store = new RedisStore({ client })
    app.use(session({ store, resave: false, saveUninitialized: false, secret: SERVED_SECRET }))
    app.post("/login", (req, res, next) => {
      req.session.regenerate((error) => {
        if (error) return next(error)
        Object.assign(req.session, { sub: req.query.user, role: "administrator", n: 3 })
        text(res, `${req.session.sub} ${req.session.role}`)
      })
    })
    app.get("/read", (req, res) => text(res, `${req.session.sub} ${req.session.role}`))
    app.post("/write", (req, res) => {
      req.session.n = req.query.n
      text(res, `${req.session.sub} ${req.session.n}`)
    })
    app.get("/n", (req, res) => text(res, `${req.session.sub} ${req.session.n}`))
  }
  app.listen(Number(SERVED_PORT), "127.0.0.1")
}

start()
