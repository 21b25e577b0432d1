-- What every script of a place begins with. KEYS[1] is the place's record; the other keys are named after it and the
-- token of its build, so that nobody meets what an earlier build has left. All of them have one hash tag.
--   record    life, token, ready, as_of, base, paged; of each slice n: entries, v: changes, d: distinct scores
--   o         a hash: owner -> number:length:slices member; of who was removed number: alone
--   g         a sorted set of who was removed, by when
--   z:SLICE   a sorted set of members, each with the score 0; everybody is the slice without a name
--   d:SLICE   a sorted set of distinct scores, where ranks are dense
--   u:SLICE   a list of what was changed, while somebody pages
--   f         a sorted set of the earlier versions that somebody pages, by when they were asked for first
--   w         a hash: such a version -> up to which version it was followed, and the sizes of the two that follow
--   a:VERSION:SLICE  what was there at that version and is not any more
--   r:VERSION:SLICE  what is there now and was not at that version
local place = KEYS[1]

local function key(token, kind) return place .. ':' .. token .. ':' .. kind end

-- An owner's number; unless they were removed also the member and the slices.
local function record(known)
  local colon = string.find(known, ':', 1, true)
  local seq, rest = tonumber(string.sub(known, 1, colon - 1)), string.sub(known, colon + 1)
  if rest == '' then return seq end
  colon = string.find(rest, ':', 1, true)
  local length = tonumber(string.sub(rest, 1, colon - 1))
  return seq, string.sub(rest, colon + 1 + length), string.sub(rest, colon + 1, colon + length)
end

-- Puts a member in the place of another, either of which may be missing. Where ranks are dense (width > 0) the scores
-- that differ are kept too; returns how many more there are.
local function move(set, scores, width, old, new)
  if old then redis.call('ZREM', set, old) end
  if new then redis.call('ZADD', set, 0, new) end
  if width == 0 then return 0 end
  local more = 0
  if new then more = redis.call('ZADD', scores, 0, string.sub(new, 1, width)) end
  if old then
    local own = string.sub(old, 1, width)
    local next = redis.call('ZRANGEBYLEX', set, '[' .. own, '+', 'LIMIT', 0, 1)[1]
    if not next or string.sub(next, 1, width) ~= own then more = more - redis.call('ZREM', scores, own) end
  end
  return more
end

