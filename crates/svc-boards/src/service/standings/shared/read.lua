-- Answers one question about one moment: life, the newest submission that must be counted, slice, rule for ties (p: a
-- rank for each place, s: shared, d: dense), width of the scores in members, time to live or '' to leave it, now; then
-- the question and what belongs to it. What has lost a part is not answered from.
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

-- The set as it stood at an earlier version: a copy of the present one, with what has changed since taken back.
local function frozen(asked)
  if asked == version then return set, scores end
  local copy, copied = key(token, 'f:' .. ARGV[9] .. ':' .. slice), key(token, 'e:' .. ARGV[9] .. ':' .. slice)
  if redis.call('EXISTS', copy) == 1 then return copy, copied end
  local journal = key(token, 'u:' .. slice)
  local behind = version - asked
  if behind < 0 or behind > redis.call('LLEN', journal) then return nil end
  local kept = key(token, 'f')
  while redis.call('ZCARD', kept) >= FROZEN_MAX do
    local name = redis.call('ZRANGE', kept, 0, 0)[1]
    redis.call('UNLINK', key(token, 'f:' .. name), key(token, 'e:' .. name))
    redis.call('ZREM', kept, name)
  end
  redis.call('COPY', set, copy)
  if ties == 'd' then redis.call('COPY', scores, copied) end
  local changes = redis.call('LRANGE', journal, -behind, -1)
  for at = #changes, 1, -1 do
    local colon = string.find(changes[at], ':', 1, true)
    local length = tonumber(string.sub(changes[at], 1, colon - 1))
    local old = string.sub(changes[at], colon + 1, colon + length)
    local new = string.sub(changes[at], colon + length + 1)
    move(copy, copied, ties == 'd' and width or 0, new ~= '' and new or nil, old ~= '' and old or nil)
  end
  redis.call('PEXPIRE', copy, FROZEN_MS)
  redis.call('PEXPIRE', copied, FROZEN_MS)
  redis.call('ZADD', kept, ARGV[7], ARGV[9] .. ':' .. slice)
  redis.call('PEXPIRE', kept, FROZEN_MS)
  return copy, copied
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
  local copy, copied = frozen(tonumber(ARGV[9]))
  if not copy then return {'expired'} end
  said[3] = redis.call('ZCARD', copy)
  said[5] = range(copy, copied, tonumber(ARGV[10]), tonumber(ARGV[11]))
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
