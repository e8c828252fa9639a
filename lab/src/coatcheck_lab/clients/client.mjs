// Node's own fetch (undici) with tough-cookie.
import { CookieJar } from "tough-cookie"

const [url, password] = process.argv.slice(2)
const jar = new CookieJar()
let token

async function ask(path, form) {
  const headers = { cookie: await jar.getCookieString(url + path) }
  if (token) headers.authorization = `Bearer ${token}`
  const answer = await fetch(url + path, { method: form ? "POST" : "GET", body: form, headers })
  for (const cookie of answer.headers.getSetCookie()) await jar.setCookie(cookie, url + path)
  token = answer.headers.get("x-token") ?? token
  return answer.json()
}

const seen = []
await ask("/log-in", new URLSearchParams({ name: "ada", password }))
seen.push((await ask("/me")).user, (await ask("/me")).user)
await ask("/log-out", new URLSearchParams())
token = undefined
seen.push((await ask("/me")).user)
console.log(JSON.stringify(seen))
