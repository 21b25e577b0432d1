-- Forgets a place, which is then built anew.
redis.call('UNLINK', place)
return {'ok'}
