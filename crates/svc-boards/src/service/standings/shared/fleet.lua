-- Which life of Redis this is, and up to where the log has been brought into it: own life or '', a new one, from where
-- on the caller has seen every fact, up to where it has brought them, what it knew to be brought, time to live.
-- A life ends when Redis has gone back to an older state; what was built in it is not believed any more.
local known = redis.call('HMGET', KEYS[1], 'life', 'through')
local life, through = known[1], tonumber(known[2])
local said = known[2]
if not life then
  life, said = ARGV[1] ~= '' and ARGV[1] or ARGV[2], ARGV[4]
elseif through < tonumber(ARGV[5]) then
  life, said = ARGV[2], ARGV[4]
elseif through < tonumber(ARGV[3]) then
  return {'gap', said}
elseif tonumber(ARGV[4]) > through then
  said = ARGV[4]
end
redis.call('HSET', KEYS[1], 'life', life, 'through', said)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {'ok', life, said}
