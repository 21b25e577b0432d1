-- Answers one question about one moment: life, the newest submission that must be counted, slice, rule for ties (p: a
-- rank for each place, s: shared, d: dense), width of the scores in members, time to live or '' to leave it, now; then
-- the question and what belongs to it. What has lost a part is not answered from, but a part that belongs to a version
-- of which somebody pages is made again, or has expired.
local FROZEN_MAX, FROZEN_MS = 32, 600000

local slice, ties, width, now = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[7])
local head = redis.call('HMGET', place, 'life', 'token', 'ready', 'as_of', 'base', 'paged', 'n:', 'n:' .. slice,
  'v:' .. slice, 'd:' .. slice)
local token, as_of = head[2], tonumber(head[4])
if not token then return {'absent'} end
if head[1] ~= ARGV[1] then return {'other'} end
if head[3] ~= '1' then return {'building'} end

local set, scores, owners = key(token, 'z:' .. slice), key(token, 'd:' .. slice), key(token, 'o')
local count = tonumber(head[8] or 0)
local whole = redis.call('ZCARD', set) == count and as_of >= tonumber(ARGV[2])
  and redis.call('HLEN', owners) == tonumber(head[7] or 0) + redis.call('ZCARD', key(token, 'g'))
  and (ties ~= 'd' or redis.call('ZCARD', scores) == tonumber(head[10] or 0))
if not whole then return {'forgotten', token} end

if ARGV[6] ~= '' then
  local ttl = ARGV[6]
  for _, field in ipairs(redis.call('HKEYS', place)) do
    if string.sub(field, 1, 2) == 'n:' then
      local slice = string.sub(field, 3)
      redis.call('PEXPIRE', key(token, 'z:' .. slice), ttl)
      redis.call('PEXPIRE', key(token, 'd:' .. slice), ttl)
      redis.call('PEXPIRE', key(token, 'u:' .. slice), ttl)
    end
  end
  redis.call('PEXPIRE', owners, ttl)
  redis.call('PEXPIRE', key(token, 'g'), ttl)
  redis.call('PEXPIRE', place, ttl)
end

local version = tonumber(head[5]) + tonumber(head[9] or 0)

local function rank(set, scores, position, member)
  if ties == 's' then return redis.call('ZLEXCOUNT', set, '-', '(' .. string.sub(member, 1, width)) + 1 end
  if ties == 'd' then return redis.call('ZRANK', scores, string.sub(member, 1, width)) + 1 end
  return position + 1
end

-- The place of the first, its rank, and the members.
local function range(set, scores, first, length)
  -- An end of -1 would be the last one.
  local members = length > 0 and redis.call('ZRANGE', set, first, first + length - 1) or {}
  if not members[1] then return {first, 0, members} end
  return {first, rank(set, scores, first, members[1]), members}
end

local function position(owner)
  local known = redis.call('HGET', owners, owner)
  if not known then return nil end
  local _, member = record(known)
  if not member then return nil end
  return redis.call('ZRANK', set, member) or nil, member
end

-- What an earlier version has that is gone, and what has come since, by the changes that were noted; nothing if too
-- much has changed. Each who pages on follows the changes since the page before.
local function differences(asked, name)
  local left, come = key(token, 'a:' .. name), key(token, 'r:' .. name)
  if version == asked then return left, come, count end
  local versions, followed = key(token, 'f'), key(token, 'w')
  local journal = key(token, 'u:' .. slice)
  local noted = redis.call('LLEN', journal)
  local from = asked
  local before = redis.call('HGET', followed, name)
  if before then
    local version, gone, new = string.match(before, '^(%d+):(%d+):(%d+)$')
    local whole = redis.call('ZCARD', left) == tonumber(gone) and redis.call('ZCARD', come) == tonumber(new)
    if whole then from = tonumber(version) end
  end
  if version < from or version - from > noted then return nil end
  if from == asked then
    redis.call('UNLINK', left, come)
    while not before and redis.call('ZCARD', versions) >= FROZEN_MAX do
      local oldest = redis.call('ZRANGE', versions, 0, 0)[1]
      redis.call('UNLINK', key(token, 'a:' .. oldest), key(token, 'r:' .. oldest))
      redis.call('HDEL', followed, oldest)
      redis.call('ZREM', versions, oldest)
    end
    redis.call('ZADD', versions, 'NX', ARGV[7], name)
  end
  local changes = version > from and redis.call('LRANGE', journal, from - version, -1) or {}
  for _, changed in ipairs(changes) do
    local colon = string.find(changed, ':', 1, true)
    local length = tonumber(string.sub(changed, 1, colon - 1))
    local old = string.sub(changed, colon + 1, colon + length)
    local new = string.sub(changed, colon + length + 1)
    if old ~= '' and redis.call('ZREM', come, old) == 0 then redis.call('ZADD', left, 0, old) end
    if new ~= '' then redis.call('ZADD', come, 0, new) end
  end
  local sizes = {redis.call('ZCARD', left), redis.call('ZCARD', come)}
  redis.call('HSET', followed, name, string.format('%.0f:%d:%d', version, sizes[1], sizes[2]))
  for _, one in ipairs({left, come, versions, followed}) do redis.call('PEXPIRE', one, FROZEN_MS) end
  return left, come, count + sizes[1] - sizes[2]
end

-- Members of an earlier version that come after one: those of now that were there, and those that are gone.
local function after(left, come, last, length)
  local found, from = {}, last
  repeat
    local some = redis.call('ZRANGEBYLEX', set, '(' .. from, '+', 'LIMIT', 0, length)
    for _, member in ipairs(some) do
      if #found < 2 * length and not redis.call('ZSCORE', come, member) then
        found[#found + 1] = 0
        found[#found + 1] = member
      end
      from = member
    end
  until #some < length or #found >= 2 * length
  for _, member in ipairs(redis.call('ZRANGEBYLEX', left, '(' .. last, '+', 'LIMIT', 0, length)) do
    found[#found + 1] = 0
    found[#found + 1] = member
  end
  if not found[1] then return {} end
  -- Redis puts them in order: texts are compared otherwise here.
  local sorted = key(token, 's')
  redis.call('ZADD', sorted, unpack(found))
  local members = redis.call('ZRANGE', sorted, 0, length - 1)
  redis.call('UNLINK', sorted)
  return members
end

local said = {'ok', as_of, count, version}
local question = ARGV[8]
if question == 'range' then
  local first, length = tonumber(ARGV[9]), tonumber(ARGV[10])
  said[5] = range(set, scores, first, length)
  -- Somebody may page on: from now on changes are noted. Said anew once a minute.
  if ARGV[11] == '1' and first + length < count and tonumber(head[6] or 0) < now + FROZEN_MS then
    redis.call('HSET', place, 'paged', string.format('%.0f', now + FROZEN_MS + 60000))
  end
elseif question == 'frozen' then
  local asked, length = tonumber(ARGV[9]), tonumber(ARGV[11])
  local left, come, size = differences(asked, ARGV[9] .. ':' .. slice)
  if not left then return {'expired'} end
  said[3] = size
  -- The caller knows the place and rank of the last one.
  said[5] = {0, 0, after(left, come, ARGV[10], length)}
elseif question == 'around' then
  local length = tonumber(ARGV[9])
  for at = 10, #ARGV do
    local own = position(ARGV[at])
    if own then
      local before = length - 1 - math.floor(length / 2)
      local first = math.min(math.max(own - before, 0), math.max(count - length, 0))
      said[#said + 1] = range(set, scores, first, length)
    else
      said[#said + 1] = {}
    end
  end
elseif question == 'among' then
  for at = 9, #ARGV do
    local own, member = position(ARGV[at])
    if own then
      said[#said + 1] = {own, rank(set, scores, own, member), member}
    else
      said[#said + 1] = {}
    end
  end
end
return said
