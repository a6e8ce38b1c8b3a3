--## fixed window
local current = redis.call('INCR', KEYS[1])
if current == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if current > tonumber(ARGV[1]) then return {0, current} end
return {1, tonumber(ARGV[1]) - current}
--> 1 fw 3 600000
--> 1 fw 3 600000
--> 1 fw 3 600000
--> 1 fw 3 600000
--> 1 fw x 600000
--> 1 other 3 nonsense
--= TYPE fw
--= SET fw text
--> 1 fw 3 600000

--## sliding window log
local key, now, window, limit, id = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
local count = redis.call('ZCARD', key)
if count >= limit then
  local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return {0, count, tonumber(oldest[2]) + window - now}
end
redis.call('ZADD', key, now, id)
redis.call('PEXPIRE', key, window)
return {1, count + 1, 0}
--> 1 swl 1000 500 3 a
--> 1 swl 1100 500 3 b
--> 1 swl 1200 500 3 c
--> 1 swl 1300 500 3 d
--> 1 swl 1501 500 3 e
--> 1 swl 1501.5 500 3 f
--= ZRANGE swl 0 -1 WITHSCORES

--## sliding window counter
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local slot = math.floor(now / window)
local weight = 1 - (now % window) / window
local previous = tonumber(redis.call('HGET', KEYS[1], slot - 1) or '0')
local current = tonumber(redis.call('HGET', KEYS[1], slot) or '0')
local estimate = previous * weight + current
if estimate + 1 > limit then return {'denied', tostring(estimate)} end
redis.call('HINCRBY', KEYS[1], slot, 1)
redis.call('HDEL', KEYS[1], slot - 2)
return {'allowed', tostring(estimate)}
--> 1 swc 100 60 3
--> 1 swc 110 60 3
--> 1 swc 119 60 3
--> 1 swc 121 60 3
--> 1 swc 150 60 3
--> 1 swc 240 60 3
--= HGETALL swc

--## token bucket
local rate, capacity, now, requested = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local fill_time = capacity / rate
local ttl = math.floor(fill_time * 2)
local last_tokens = tonumber(redis.call('get', KEYS[1]))
if last_tokens == nil then last_tokens = capacity end
local last_refreshed = tonumber(redis.call('get', KEYS[2]))
if last_refreshed == nil then last_refreshed = 0 end
local delta = math.max(0, now - last_refreshed)
local filled_tokens = math.min(capacity, last_tokens + (delta * rate))
local allowed = filled_tokens >= requested
local new_tokens = filled_tokens
local allowed_num = 0
if allowed then
  new_tokens = filled_tokens - requested
  allowed_num = 1
end
if ttl > 0 then
  redis.call('setex', KEYS[1], ttl, new_tokens)
  redis.call('setex', KEYS[2], ttl, now)
end
return { allowed_num, new_tokens }
--> 2 {tb}.tokens {tb}.ts 2 10 100 4
--> 2 {tb}.tokens {tb}.ts 2 10 100 4
--> 2 {tb}.tokens {tb}.ts 2 10 100 4
--> 2 {tb}.tokens {tb}.ts 2 10 101 4
--> 2 {tb}.tokens {tb}.ts 0.5 10 103 4
--= GET {tb}.tokens

--## token bucket in a hash, with cjson configuration
local c = cjson.decode(ARGV[1])
local b = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(b[1] or c.capacity), tonumber(b[2] or c.now)
if b[1] == false then tokens, at = c.capacity, c.now end
tokens = math.min(c.capacity, tokens + (c.now - at) * c.rate)
local ok = tokens >= c.cost
if ok then tokens = tokens - c.cost end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', c.now)
return cjson.encode({ok})
--> 1 tbh '{"capacity":5,"rate":1,"cost":2,"now":10}'
--> 1 tbh '{"capacity":5,"rate":1,"cost":2,"now":10}'
--> 1 tbh '{"capacity":5,"rate":1,"cost":2,"now":10}'
--> 1 tbh '{"capacity":5,"rate":1,"cost":2,"now":12.5}'
--> 1 tbh '{"capacity":5'
--= HMGET tbh tokens at

--## leaky bucket
local v = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(v[1]) or 0, tonumber(v[2]) or tonumber(ARGV[3])
level = math.max(0, level - (tonumber(ARGV[3]) - at) * tonumber(ARGV[2]))
if level + 1 > tonumber(ARGV[1]) then return redis.error_reply('LIMIT bucket is full') end
redis.call('HMSET', KEYS[1], 'level', level + 1, 'at', ARGV[3])
return redis.status_reply('ACCEPTED')
--> 1 lb 2 0.5 0
--> 1 lb 2 0.5 0
--> 1 lb 2 0.5 1
--> 1 lb 2 0.5 4
--> 1 lb 2 0.5 four

--## generic cell rate
local burst, rate, period, cost, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local interval = period / rate
local increment, offset = interval * cost, interval * burst
local tat = redis.call('GET', KEYS[1])
if not tat then tat = now else tat = tonumber(tat) end
tat = math.max(tat, now)
local new_tat = tat + increment
local allow_at = new_tat - offset
local diff = now - allow_at
local remaining = diff / interval
if remaining < 0 then
  return {0, 0, tostring(diff * -1), tostring(tat - now)}
end
local reset = new_tat - now
if reset > 0 then redis.call('SET', KEYS[1], new_tat, 'EX', math.ceil(reset)) end
return {cost, remaining, tostring(-1), tostring(reset)}
--> 1 gcra 3 1 10 1 1000
--> 1 gcra 3 1 10 1 1000
--> 1 gcra 3 1 10 1 1000
--> 1 gcra 3 1 10 1 1001
--> 1 gcra 3 1 10 2 1025.5
--= GET gcra

--## concurrent requests
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(ARGV[2]) - tonumber(ARGV[3]))
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[4])
  return true
end
return false
--> 1 cc 2 100 30 r1
--> 1 cc 2 101 30 r2
--> 1 cc 2 102 30 r3
--> 1 cc 2 131 30 r4

--## several windows at once
local out = {}
for i, key in ipairs(KEYS) do
  local n = redis.call('INCRBY', key, 1)
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[i]) end
  out[#out + 1] = n
end
return out
--> 3 w:s w:m w:h 1000 6000 36000
--> 3 w:s w:m w:h 1000 6000 36000
--> 2 w:s w:x 1000
