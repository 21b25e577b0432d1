-- Ends a build: life, its token, time to live. From now on it is read.
local head = redis.call('HMGET', place, 'life', 'token')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then return {'taken'} end
redis.call('HSET', place, 'ready', '1')
redis.call('PEXPIRE', place, ARGV[3])
redis.call('UNLINK', place .. ':lease')
return {'ok'}
