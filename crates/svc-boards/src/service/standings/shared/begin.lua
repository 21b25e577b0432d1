-- Begins a build, unless somebody else has: life, its token, the token of a build that has turned out to be broken or
-- '', lease, the number from which changes are counted, the newest submission of the board, time to live.
local head = redis.call('HMGET', place, 'life', 'token', 'ready')
local token, lease = head[2], place .. ':lease'
if token and head[1] == ARGV[1] and token ~= ARGV[3] and token ~= ARGV[2] then
  if head[3] == '1' then return {'ready'} end
  if redis.call('EXISTS', lease) == 1 then return {'building'} end
end
if token then
  for _, field in ipairs(redis.call('HKEYS', place)) do
    if string.sub(field, 1, 2) == 'n:' then
      local slice = string.sub(field, 3)
      redis.call('UNLINK', key(token, 'z:' .. slice), key(token, 'd:' .. slice), key(token, 'u:' .. slice))
    end
  end
  redis.call('UNLINK', key(token, 'o'), key(token, 'g'), place)
end
redis.call('HSET', place, 'life', ARGV[1], 'token', ARGV[2], 'ready', '0', 'base', ARGV[5], 'as_of', ARGV[6])
redis.call('PEXPIRE', place, ARGV[7])
redis.call('SET', lease, ARGV[2], 'PX', ARGV[4])
return {'yours'}
