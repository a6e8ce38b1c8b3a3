--## keep the best score
local best = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not best or tonumber(ARGV[2]) > tonumber(best) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  return {1, redis.call('ZREVRANK', KEYS[1], ARGV[1])}
end
return {0, redis.call('ZREVRANK', KEYS[1], ARGV[1]), best}
--> 1 lb ann 10
--> 1 lb bob 20.5
--> 1 lb ann 5
--> 1 lb ann 30
--> 1 lb ann x

--## around a player
local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
if rank == false then return nil end
local from = math.max(0, rank - ARGV[2])
return redis.call('ZREVRANGE', KEYS[1], from, rank + ARGV[2], 'WITHSCORES')
--= ZADD lb2 1 a 2 b 3 c 4 d 5 e
--> 1 lb2 c 1
--> 1 lb2 e 2
--> 1 lb2 zz 2
--> 1 lb2 c x

--## daily into weekly
redis.call('ZUNIONSTORE', KEYS[1], #KEYS - 1, unpack(KEYS, 2))
local top = redis.call('ZREVRANGE', KEYS[1], 0, 2, 'WITHSCORES')
local out = {}
for i = 1, #top, 2 do out[#out + 1] = top[i] .. ':' .. top[i + 1] end
return table.concat(out, ' ')
--= ZADD d1 1 a 2 b
--= ZADD d2 5 a 0.5 c
--> 3 week d1 d2
--> 2 week nothing

--## decay
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #all, 2 do redis.call('ZADD', KEYS[1], string.format('%.2f', all[i + 1] * ARGV[1]), all[i]) end
return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', 0.01)
--= ZADD hot 100 a 1 b 0.01 c
--> 1 hot 0.5
--> 1 hot 0.5
--= ZRANGE hot 0 -1 WITHSCORES

--## percentiles
local n = redis.call('ZCARD', KEYS[1])
local r = {}
for _, p in ipairs({50, 90, 99}) do
  local at = math.ceil(p / 100 * n) - 1
  r[#r + 1] = redis.call('ZRANGE', KEYS[1], at, at, 'WITHSCORES')[2]
end
return r
--= ZADD lat 10 a 20 b 30 c 40 d 50 e 60 f 70 g 80 h 90 i 100 j
--> 1 lat
--> 1 none

--## trending with a window of slots
local total = {}
for _, key in ipairs(KEYS) do
  local h = redis.call('HGETALL', key)
  for i = 1, #h, 2 do total[h[i]] = (total[h[i]] or 0) + h[i + 1] end
end
local names = {}
for name in pairs(total) do names[#names + 1] = name end
table.sort(names, function(a, b) if total[a] ~= total[b] then return total[a] > total[b] end return a < b end)
local out = {}
for i, name in ipairs(names) do out[i] = {name, total[name]} end
return out
--= HSET t1 cats 5 dogs 2
--= HSET t2 dogs 4 birds 1
--> 2 t1 t2
