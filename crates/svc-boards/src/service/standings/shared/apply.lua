-- Applies changes: life, token of the build that loads or '', now, width, time to live, lease; then of each change the
-- owner, its number, the member or '' for a removal, and the slices as JSON or ''. What is older than what is known of
-- an owner changes nothing, so that it does not matter who applies what, how often, and in which order. What can be
-- asked and said together is: a call from a script costs as much as what it does.
local JOURNAL_MAX, REMOVED_MAX, REMOVED_MS = 50000, 100000, 900000

local now, width, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local head = redis.call('HMGET', place, 'life', 'token', 'as_of', 'paged')
local token = head[2]
if not token then return {'absent'} end
if head[1] ~= ARGV[1] then return {'other'} end
if ARGV[2] ~= '' and ARGV[2] ~= token then return {'taken'} end

local owners, gone = key(token, 'o'), key(token, 'g')
local noted = tonumber(head[4] or 0) > now
local as_of = tonumber(head[3])

local known, asked = {}, {}
for at = 7, #ARGV, 4 do asked[#asked + 1] = ARGV[at] end
if asked[1] then
  local records = redis.call('HMGET', owners, unpack(asked))
  for at, owner in ipairs(asked) do known[owner] = records[at] end
end

-- By slice: how many more entries and distinct scores, and what is to be done.
local touched, written = {}, {}

local function change(slice, old, new)
  local one = touched[slice]
  if not one then
    one = {entries = 0, distinct = 0, changes = 0, come = {}, go = {}, journal = {}}
    touched[slice] = one
  end
  one.entries = one.entries + (new and 1 or 0) - (old and 1 or 0)
  one.changes = one.changes + 1
  if width > 0 then
    one.distinct = one.distinct + move(key(token, 'z:' .. slice), key(token, 'd:' .. slice), width, old, new)
  else
    if new then
      one.come[#one.come + 1] = 0
      one.come[#one.come + 1] = new
    end
    -- Taken out after the others have come: no member comes a second time.
    if old then one.go[#one.go + 1] = old end
  end
  if noted then one.journal[#one.journal + 1] = (old and #old or 0) .. ':' .. (old or '') .. (new or '') end
end

for at = 7, #ARGV, 4 do
  local owner, seq, slices = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 3]
  local new = ARGV[at + 2] ~= '' and ARGV[at + 2] or nil
  as_of = math.max(as_of, seq)
  local newest, old, before = -1, nil, nil
  if known[owner] then newest, old, before = record(known[owner]) end
  if seq > newest then
    local text = ARGV[at + 1] .. ':'
    if new then
      text = text .. #slices .. ':' .. slices .. new
      if known[owner] and not old then redis.call('ZREM', gone, owner) end
    else
      redis.call('ZADD', gone, ARGV[3], owner)
    end
    known[owner] = text
    written[owner] = text
    if old or new then change('', old, new) end
    local into = {}
    if new and slices ~= '' then
      for _, slice in ipairs(cjson.decode(slices)) do into[slice] = new end
    end
    if old and before ~= '' then
      for _, slice in ipairs(cjson.decode(before)) do
        change(slice, old, into[slice])
        into[slice] = nil
      end
    end
    for slice, member in pairs(into) do change(slice, nil, member) end
  end
end

local records = {}
for owner, text in pairs(written) do
  records[#records + 1] = owner
  records[#records + 1] = text
end
if records[1] then redis.call('HSET', owners, unpack(records)) end
for slice, one in pairs(touched) do
  local set, journal = key(token, 'z:' .. slice), key(token, 'u:' .. slice)
  if one.come[1] then redis.call('ZADD', set, unpack(one.come)) end
  if one.go[1] then redis.call('ZREM', set, unpack(one.go)) end
  redis.call('HINCRBY', place, 'n:' .. slice, one.entries)
  redis.call('HINCRBY', place, 'v:' .. slice, one.changes)
  redis.call('PEXPIRE', set, ttl)
  if width > 0 then
    redis.call('HINCRBY', place, 'd:' .. slice, one.distinct)
    redis.call('PEXPIRE', key(token, 'd:' .. slice), ttl)
  end
  if noted then
    redis.call('RPUSH', journal, unpack(one.journal))
    redis.call('LTRIM', journal, -JOURNAL_MAX, -1)
    redis.call('PEXPIRE', journal, ttl)
  else
    redis.call('UNLINK', journal)
  end
end
-- A removal is known for as long as an older score may still be on its way.
local old = redis.call('ZRANGEBYSCORE', gone, '-inf', now - REMOVED_MS, 'LIMIT', 0, 100)
for _, owner in ipairs(old) do
  redis.call('HDEL', owners, owner)
  redis.call('ZREM', gone, owner)
end
if redis.call('ZCARD', gone) > REMOVED_MAX then
  -- Built anew from records, it needs none of them.
  redis.call('UNLINK', place)
  return {'absent'}
end
redis.call('PEXPIRE', owners, ttl)
redis.call('PEXPIRE', gone, ttl)
redis.call('HSET', place, 'as_of', string.format('%.0f', as_of))
if ARGV[2] ~= '' then redis.call('SET', place .. ':lease', token, 'PX', ARGV[6]) end
return {'ok', as_of}
