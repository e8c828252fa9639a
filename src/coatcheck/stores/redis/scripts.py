"""The atomic steps, in Lua. Each touches the keys it is given, all of one slot, and nothing else.

Records are opaque here: a script compares versions, deadlines and instants, never fields. Each gives the
same answer when it is sent again, as after a lost reply. Nothing needs more than Redis 6.2.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Any, NamedTuple


class Script(NamedTuple):
    """A script and the name by which the server remembers it."""

    text: str
    sha: str


class Call(NamedTuple):
    """One run of a script. All of them write."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[Any, ...]

    def spell(self, in_full: bool) -> tuple[Any, ...]:
        """The command; `in_full` for a server that does not remember the script."""
        head = ("EVAL", self.script.text) if in_full else ("EVALSHA", self.script.sha)
        return (*head, len(self.keys), *self.keys, *self.args)


_COMMON = """
local call, KEY, ARG = redis.call, KEYS, ARGV
local function version(value) return value and value:sub(2, 9) end
local function stored(value) return value and value:match('^[LA]') end
local function departed(value) return value and value:match('^M') end
local function lives(value, now) return stored(value) and tonumber(value:sub(10, 22)) > tonumber(now) end
-- The tombstone of a session whose time is over, so that no commit that was under way goes on with it.
local function buried(key, value, stone, ms)
  local instant = string.format('%.3f', tonumber(value:sub(10, 22)) / 1000)
  local text = stone:sub(1, 9) .. instant .. ' - ' .. (value:sub(1, 1) == 'A' and 'absolute' or 'idle')
  call('DEL', key)
  call('SET', key, text, 'PX', ms)
  return text
end
-- What was done before, and is asked for again, must be written anew: WAIT vouches only for what follows a write.
local function again(key)
  local ms = call('PTTL', key)
  if ms > 0 then call('PEXPIRE', key, ms) end
end
local function lengthen(key, ms)
  if call('PTTL', key) < tonumber(ms) then call('PEXPIRE', key, ms) end
end
local function field(user, name) return call('HGET', user, name) or '0' end
local function newer(user, known) return tonumber(field(user, 'seq')) > tonumber(known) end
local function doomed(since) return since:match('^%u') end
local function patches(user) return {'patched', field(user, 'seq'), call('HGET', user, 'patches')} end
"""


def _script(text: str) -> Script:
    text = (_COMMON + text).strip()
    return Script(text, sha1(text.encode()).hexdigest())  # noqa: S324 (the name that Redis gives it)


CREATE = _script("""
if call('SET', KEY[1], ARG[1], 'PX', ARG[2], 'NX') then return 1 end
again(KEY[1])
return version(call('GET', KEY[1])) == version(ARG[1]) and 1 or 0
""")
"""KEYS session; ARGV value, its ms. 1: created."""

SAVE = _script("""
local old = call('GET', KEY[1])
if version(old) == version(ARG[2]) then
  again(KEY[1])
  return 1
end
if version(old) ~= ARG[1] then return old end
-- An end must get through on a full server, and does if a write comes first that needs no memory.
if ARG[2]:sub(1, 1) == 'E' then call('DEL', KEY[1]) end
call('SET', KEY[1], ARG[2], 'PX', ARG[3])
if KEY[2] then lengthen(KEY[2], ARG[4]) end
return 1
""")
"""KEYS session, its user if that has to live longer; ARGV version that was read, value, its ms, the user's ms.
1: saved; else the value that is there."""

LOGIN = _script("""
local user, limit = KEY[1], tonumber(ARG[8])
local function members(wanted)
  local found, all = {}, call('HGETALL', user)
  for i = 1, #all, 2 do
    local since = all[i + 1]
    if all[i]:sub(1, 2) == 'm:' and doomed(since) == wanted and all[i]:sub(3) ~= ARG[9] then
      found[#found + 1] = {handle = all[i]:sub(3), since = since}
    end
  end
  return found
end
local function handles(answer, found)
  for _, member in ipairs(found) do answer[#answer + 1] = member.handle end
  return answer
end
local old = call('GET', KEY[2])
if not old then
  if tonumber(ARG[1]) < tonumber(field(user, 'nb')) then return {'barred'} end
  if newer(user, ARG[2]) then return patches(user) end
  local living = {}
  if limit then
    local dead = {}
    for i = 11, #ARG do dead[ARG[i]] = true end
    for _, member in ipairs(members(nil)) do
      if not dead[member.handle] then living[#living + 1] = member end
    end
    if #living >= limit and ARG[10] == '' then return handles({'full'}, living) end
  end
  call('SET', KEY[2], ARG[3], 'PX', ARG[4])
  -- The oldest cannot save themselves under a new handle any more; the caller ends them before it says so.
  table.sort(living, function(a, b)
    local one, other = tonumber(a.since), tonumber(b.since)
    return one > other or (one == other and a.handle > b.handle)
  end)
  for i = limit or 1, limit and #living or 0 do
    call('HSET', user, 'm:' .. living[i].handle, 'O' .. living[i].since)
  end
  call('HSET', user, 'm:' .. ARG[6], ARG[7])
  lengthen(user, ARG[5])
elseif version(old) ~= version(ARG[3]) then
  return {'taken'}
else
  again(KEY[2])
end
return handles({'done', call('HLEN', user)}, limit and members('O') or {})
""")
"""KEYS user, session; ARGV began, newest patch that is known, value, its ms, the user's ms, handle, created_at,
limit ('' for none), handle of the session that it replaces ('' for none), '' until the caller has looked which
members live, handles of those that do not."""

REPLACE = _script("""
if version(call('GET', KEY[2])) == version(ARG[2]) then
  again(KEY[2])
  return {'done'}
end
local old = call('GET', KEY[1])
if version(old) ~= ARG[1] then return {'changed', old} end
local user, member = KEY[3], nil
if user then
  member = call('HGET', user, 'm:' .. ARG[7])
  -- Between the two steps of a revocation a thief must not save himself under a new handle.
  if not member or doomed(member) then return {'doomed'} end
  if newer(user, ARG[6]) then return patches(user) end
end
if not call('SET', KEY[2], ARG[2], 'PX', ARG[3], 'NX') then return {'taken'} end
call('SET', KEY[1], ARG[4], 'PX', ARG[5])
if user then
  call('HDEL', user, 'm:' .. ARG[7])
  call('HSET', user, 'm:' .. ARG[8], member)
  lengthen(user, ARG[9])
end
return {'done'}
""")
"""KEYS old session, new session, their user if any; ARGV version that was read, new value, its ms, tombstone,
its ms, newest patch that is known, old handle, new handle, the user's ms."""

END = _script("""
local old = call('GET', KEY[1])
if version(old) == version(ARG[2]) or not lives(old, ARG[1]) then
  local remains = call('GET', KEY[2])
  if stored(old) then
    old = buried(KEY[1], old, ARG[2], ARG[3])
    if KEY[3] then call('HDEL', KEY[3], 'm:' .. ARG[4]) end
  else
    again(KEY[1])
  end
  if remains then return {1, remains} end
  return {0, old}
end
-- RENAME needs no memory, so a full server lets the rest through.
call('RENAME', KEY[1], KEY[2])
call('PEXPIRE', KEY[2], 3000)
call('SET', KEY[1], ARG[2], 'PX', ARG[3])
if KEY[3] then call('HDEL', KEY[3], 'm:' .. ARG[4]) end
return {1, old}
""")
"""KEYS session, where its remains go, its user if any; ARGV now, tombstone, its ms, handle.
1 and what it held, or 0 and what is there now: a session whose time was over has its tombstone then."""

END_MANY = _script("""
local ended, count = {}, #ARG - 3
local user = KEY[count + 1]
for i = 1, count do
  local value = call('GET', KEY[i])
  if lives(value, ARG[1]) then
    call('DEL', KEY[i])
    call('SET', KEY[i], ARG[2], 'PX', ARG[3])
    value = ARG[2]
  elseif stored(value) then
    value = buried(KEY[i], value, 'E--------', ARG[3])
  else
    again(KEY[i])
  end
  if version(value) == version(ARG[2]) then ended[#ended + 1] = ARG[3 + i] end
  -- Who has departed stays in the list until that is closed: it has to be found, and ended where it goes.
  if user and not stored(value) and not departed(value) then call('HDEL', user, 'm:' .. ARG[3 + i]) end
end
return ended
""")
"""KEYS sessions, their user if any; ARGV now, tombstone, its ms, handles. The handles of those that it ended."""

CLOSE = _script("""
local user, ending = KEY[1], {'done'}
if KEY[2] then
  local kept = call('GET', KEY[2])
  -- It has another name by now: the caller has to say that one.
  if kept and kept:sub(1, 1) == 'E' and not kept:find(' - ', 1, true) then return {'renamed', kept} end
end
local members = call('HGETALL', user)
-- A write that needs no memory, so a full server lets the rest through.
call('HDEL', user, '')
if ARG[1] ~= '' then
  local known, now = tonumber(field(user, 'nb')), tonumber(ARG[1])
  if known < now or known > now + tonumber(ARG[5]) then call('HSET', user, 'nb', ARG[1]) end
end
for i = 1, #members, 2 do
  local name, since = members[i], members[i + 1]
  if name:sub(1, 2) == 'm:' then
    local handle, known = name:sub(3), doomed(since)
    if handle == ARG[3] then
      if known then call('HSET', user, name, since:sub(2)) end
    elseif known or tonumber(since) <= tonumber(ARG[2]) then
      if not known then call('HSET', user, name, 'D' .. since) end
      ending[#ending + 1] = handle
    end
  end
end
if ARG[4] ~= '' then lengthen(user, ARG[4]) end
return ending
""")
"""KEYS user, session to keep if any; ARGV not before ('' leaves it), created up to, handle to keep, the user's ms
('' leaves them), seconds ahead that no clock is. Dooms the members, and returns them with those whom an earlier
revocation doomed and did not end."""

PATCH = _script("""
local user = KEY[1]
local seq, text = call('HGET', user, 'seq') or '', call('HGET', user, 'patches')
if seq ~= ARG[2] or text ~= ARG[3] then
  if seq ~= ARG[1] then return {'changed', seq, text} end
  call('HSET', user, 'seq', ARG[2], 'patches', ARG[3])
end
again(user)
lengthen(user, ARG[4])
local handles = {'done'}
for _, name in ipairs(call('HKEYS', user)) do
  if name:sub(1, 2) == 'm:' then handles[#handles + 1] = name:sub(3) end
end
return handles
""")
"""KEYS user; ARGV seq that was read ('' for none), new seq, new patches, the user's ms. The members."""

REDEEM = _script("""
local held = call('GET', KEY[1])
if not lives(held, ARG[1]) then return {0, held} end
if call('SET', KEY[2], ARG[2], 'PX', ARG[3], 'NX') then return {1, ARG[2]} end
again(KEY[2])
return {1, call('GET', KEY[2])}
""")
"""KEYS session, ticket; ARGV now, mark, its ms. 1 and the mark that counts, or 0 and the session."""

ARRIVE = _script("""
local old = call('GET', KEY[1])
if old and version(old) == version(ARG[1]) then
  again(KEY[1])
  return {'done'}
end
local left = old and old:sub(1, 1) == 'X' and tonumber(old:sub(10, 22)) < tonumber(ARG[6])
if old and not left then
  again(KEY[1])
  return {'there'}
end
local user = KEY[2]
if user and newer(user, ARG[7]) then return patches(user) end
call('SET', KEY[1], ARG[1], 'PX', ARG[2])
if user then
  call('HSET', user, 'm:' .. ARG[4], ARG[5])
  lengthen(user, ARG[3])
end
return {'done'}
""")
"""KEYS session, its user if any; ARGV value, its ms, the user's ms, handle, created_at, when it departed (ms), newest
patch that is known."""

LEAVE = _script("""
local old = call('GET', KEY[1])
if version(old) ~= ARG[1] then
  if old then again(KEY[1]) end
  return 0
end
if KEY[2] then call('HDEL', KEY[2], 'm:' .. ARG[3]) end
call('SET', KEY[1], ARG[2], 'KEEPTTL')
return 1
""")
"""KEYS session, its user if any; ARGV version that was read, mark, handle."""

BAR = _script("""
if not call('SET', KEY[1], ARG[1], 'PX', ARG[2], 'NX') then again(KEY[1]) end
return call('GET', KEY[1]):sub(1, 1)
""")
"""KEYS session; ARGV mark, its ms. The first letter of what is there."""

UNBAR = _script("""
local here = call('GET', KEY[1])
return here and here:sub(1, 1) == 'X' and call('DEL', KEY[1]) or 0
""")
"""KEYS session. 1: a mark was there, and is no more."""

JOIN = _script("""
local user = KEY[1]
local seq, text = call('HGET', user, 'seq') or '', call('HGET', user, 'patches') or ''
if (seq ~= ARG[1] or text ~= ARG[2]) and (seq ~= ARG[3] or text ~= ARG[4]) then return {'changed', seq, text} end
call('HSET', user, 'seq', ARG[3], 'patches', ARG[4])
if tonumber(field(user, 'nb')) < tonumber(ARG[5]) then call('HSET', user, 'nb', ARG[5]) end
lengthen(user, ARG[6])
return {'done'}
""")
"""KEYS user; ARGV seq and patches that were read, both anew, not before, the user's ms."""

NEEDS = (
    *("GET", "MGET", "SET", "GETRANGE", "DEL", "RENAME", "PTTL", "PEXPIRE", "SCAN"),
    *("HGET", "HMGET", "HSET", "HDEL", "HLEN", "HKEYS", "HGETALL"),
    *("EVAL", "EVALSHA", "INFO", "TIME", "WAIT"),
)
"""Every command that this store sends or calls for sessions and tickets: what an ACL has to allow."""

TRAIL_NEEDS = ("XADD", "XTRIM", "XREVRANGE")
"""And those of an audit trail, besides."""

_TRIM = """
local function trim(ms)
  local time = call('TIME')
  local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ms
  if oldest > 0 then call('XTRIM', KEY[1], 'MINID', '~', string.format('%.0f', oldest)) end
end
"""

NOTE = _script(
    _TRIM
    + """
local newest = call('XREVRANGE', KEY[1], '+', '-', 'COUNT', 1)[1]
if not newest or newest[2][2] ~= ARG[1] then call('XADD', KEY[1], '*', 'e', ARG[1]) end
if ARG[2] ~= '' then lengthen(KEY[1], ARG[2]) end
if ARG[3] ~= '' then trim(ARG[3]) end
"""
)
"""KEYS a trail; ARGV an entry, the trail's ms or '' for ever, an entry's ms or '' for ever. Told again after an answer
that was lost, the newest entry is not added twice."""

TRIM = _script(_TRIM + "trim(ARG[1])")
"""KEYS a trail; ARGV an entry's ms."""
