-- Applies changes: life, token of the build that loads or '', now, width, time to live, lease; then of each change the
-- owner, its number, the member or '' for a removal, and the slices as JSON or ''. What is older than what is known of
-- an owner changes nothing, so that it does not matter who applies what, how often, and in which order.
local JOURNAL_MAX, REMOVED_MAX, REMOVED_MS = 100000, 100000, 900000

local now, width, ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local head = redis.call('HMGET', place, 'life', 'token', 'as_of', 'paged')
local token = head[2]
if not token then return {'absent'} end
if head[1] ~= ARGV[1] then return {'other'} end
if ARGV[2] ~= '' and ARGV[2] ~= token then return {'taken'} end

local owners, gone = key(token, 'o'), key(token, 'g')
local noted = tonumber(head[4] or 0) > now
local as_of = tonumber(head[3])
local entries, changes, distinct = {}, {}, {}

local function change(slice, old, new)
  local more = move(key(token, 'z:' .. slice), key(token, 'd:' .. slice), width, old, new)
  entries[slice] = (entries[slice] or 0) + (new and 1 or 0) - (old and 1 or 0)
  changes[slice] = (changes[slice] or 0) + 1
  distinct[slice] = (distinct[slice] or 0) + more
  if noted then
    redis.call('RPUSH', key(token, 'u:' .. slice), (old and #old or 0) .. ':' .. (old or '') .. (new or ''))
  end
end

for at = 7, #ARGV, 4 do
  local owner, seq, slices = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 3]
  local new = ARGV[at + 2] ~= '' and ARGV[at + 2] or nil
  as_of = math.max(as_of, seq)
  local newest, old, before = -1, nil, nil
  local known = redis.call('HGET', owners, owner)
  if known then newest, old, before = record(known) end
  if seq > newest then
    if new then
      redis.call('HSET', owners, owner, ARGV[at + 1] .. ':' .. #slices .. ':' .. slices .. new)
      if known and not old then redis.call('ZREM', gone, owner) end
    else
      redis.call('HSET', owners, owner, ARGV[at + 1] .. ':')
      redis.call('ZADD', gone, ARGV[3], owner)
    end
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

for slice, more in pairs(entries) do
  redis.call('HINCRBY', place, 'n:' .. slice, more)
  redis.call('HINCRBY', place, 'v:' .. slice, changes[slice])
  redis.call('PEXPIRE', key(token, 'z:' .. slice), ttl)
  if width > 0 then
    redis.call('HINCRBY', place, 'd:' .. slice, distinct[slice])
    redis.call('PEXPIRE', key(token, 'd:' .. slice), ttl)
  end
  local journal = key(token, 'u:' .. slice)
  if noted then
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
