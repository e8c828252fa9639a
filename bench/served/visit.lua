-- One visitor. wrk runs as many threads as it has connections, so that each connection has a visitor of its own.
-- Arguments: "read", "write" or "login"; the file of visitors; a prefix for names that no other slice has; the role
-- that a page must show; "bare" where the page is the same whoever asks.

local ffi = require("ffi")
ffi.cdef("typedef struct { long s, ns; } visit_time; int clock_gettime(int, visit_time *);")
local time = ffi.new("visit_time")

-- Seconds, monotonic. wrk's own duration leaves out that threads begin and stop one after the other.
local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.s) + tonumber(time.ns) / 1e9
end

local threads = {}
local headers_sent = {
  ["Accept"] = "*/*",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.9",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0",
  ["Sec-CH-UA-Platform"] = '"Linux"',
  ["Sec-Fetch-Site"] = "same-origin",
  ["Sec-Fetch-Mode"] = "cors",
  ["Sec-Fetch-Dest"] = "empty",
}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

-- Send this credential from now on.
local function carry(name, value)
  headers_sent[name] = name == "Cookie" and "theme=dark; " .. value or value
  ready = wrk.format("GET", "/read", headers_sent)
end

function init(args)
  act, prefix, role, bare = args[1], args[3], args[4], args[5] == "bare"
  asked, answered, wrong, example, last = 0, 0, 0, "", ""
  first_asked, last_answered, asked_at, times = 0, 0, 0, {}
  local at, line = 0, nil
  for text in io.lines(args[2]) do
    if at == number then line = text end
    at = at + 1
  end
  user, name, value = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
  due = user .. " " .. role
  if act ~= "read" then headers_sent["Content-Length"] = "0" end
  if act ~= "login" then carry(name, value) end
end

function request()
  asked = asked + 1
  asked_at = now()
  if answered == 0 then first_asked = asked_at end
  if act == "read" then return ready end
  if act == "write" then
    last = tostring(asked)
    if not bare then due = user .. " " .. last end
    return wrk.format("POST", "/write?n=" .. last, headers_sent)
  end
  last = prefix .. number .. "-" .. asked
  if not bare then due = last .. " " .. role end
  return wrk.format("POST", "/login?user=" .. last, headers_sent)
end

function response(status, headers, body)
  answered = answered + 1
  last_answered = now()
  -- The first answer waits for the server to accept its connection.
  if answered > 1 then times[#times + 1] = last_answered - asked_at end
  if status ~= 200 or body ~= due then
    wrong = wrong + 1
    if example == "" then example = status .. " " .. body:sub(1, 80) .. " in place of " .. due end
  end
  done_last = last
  local cookie = headers["set-cookie"] or headers["Set-Cookie"]
  local bearer = headers["authorization"] or headers["Authorization"]
  if cookie then name, value = "Cookie", cookie:match("^[^;]*") end
  if bearer then name, value = "Authorization", bearer end
  -- As a browser does. Who signs in anew comes without.
  if act ~= "login" and (cookie or bearer) then carry(name, value) end
end

local function quoted(text)
  return '"' .. string.gsub(text, '[%c"\\]', " ") .. '"'
end

function done(summary, latency, requests)
  local sent, rate, bad, why, all = 0, 0, 0, "", {}
  for _, thread in ipairs(threads) do
    sent = sent + thread:get("asked")
    if thread:get("answered") > 0 then
      rate = rate + thread:get("answered") / (thread:get("last_answered") - thread:get("first_asked"))
    end
    for _, one in ipairs(thread:get("times")) do all[#all + 1] = one end
    bad = bad + thread:get("wrong")
    if why == "" then why = thread:get("example") end
  end
  table.sort(all)
  local function percentile(part)
    return 1e6 * (all[math.max(1, math.ceil(#all * part / 100))] or 0)
  end
  local errors = summary.errors
  local first = threads[1]
  io.write(string.format(
    '{"requests": %d, "sent": %d, "rate": %f, "p50": %f, "p95": %f, "p99": %f, "wrong": %d, "failed": %d, ',
    summary.requests, sent, rate, percentile(50), percentile(95),
    percentile(99), bad, errors.connect + errors.read + errors.write + errors.timeout))
  io.write(string.format('"example": %s, "last": %s, "user": %s, "name": %s, "value": %s}\n',
    quoted(why), quoted(first:get("done_last") or ""), quoted(first:get("user")),
    quoted(first:get("name")), quoted(first:get("value"))))
end
