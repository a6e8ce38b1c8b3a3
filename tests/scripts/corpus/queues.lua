--## reliable queue: take
local job = redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
if not job then return nil end
redis.call('HSET', KEYS[3], job, ARGV[1])
return job
--= LPUSH q j1 j2 j3
--> 3 q working since 100
--> 3 q working since 101
--> 3 q working since 102
--> 3 q working since 103
--= LRANGE working 0 -1

--## reliable queue: give back what took too long
local taken = redis.call('HGETALL', KEYS[3])
local moved = {}
for i = 1, #taken, 2 do
  if tonumber(taken[i + 1]) + tonumber(ARGV[2]) < tonumber(ARGV[1]) then moved[#moved + 1] = taken[i] end
end
table.sort(moved)
for _, job in ipairs(moved) do
  redis.call('LREM', KEYS[2], 1, job)
  redis.call('HDEL', KEYS[3], job)
  redis.call('RPUSH', KEYS[1], job)
end
return moved
--= RPUSH w2 a b c
--= HSET s2 a 10 b 20 c 90
--> 3 q2 w2 s2 100 50
--> 3 q2 w2 s2 100 50
--= LRANGE q2 0 -1

--## delayed queue: move what is due
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #due > 0 then
  redis.call('ZREM', KEYS[1], unpack(due))
  redis.call('LPUSH', KEYS[2], unpack(due))
end
return due
--= ZADD dq 1 a 2 b 3 c 4 d
--> 2 dq dl 3 2
--> 2 dq dl 3 2
--> 2 dq dl 3 2
--> 2 dq dl nan 2
--= LRANGE dl 0 -1

--## priority queue: pop the most urgent
for i, key in ipairs(KEYS) do
  local job = redis.call('LPOP', key)
  if job then return {key, job} end
end
return {}
--= RPUSH p:low l1
--= RPUSH p:high h1 h2
--> 3 p:high p:mid p:low
--> 3 p:high p:mid p:low
--> 3 p:high p:mid p:low
--> 3 p:high p:mid p:low

--## priority by packed score
local priority, sequence = tonumber(ARGV[2]), redis.call('INCR', KEYS[2])
local score = priority * 4294967296 + sequence
redis.call('ZADD', KEYS[1], score, ARGV[1])
return {redis.call('ZSCORE', KEYS[1], ARGV[1]), redis.call('ZRANK', KEYS[1], ARGV[1])}
--> 2 ps seq j1 5
--> 2 ps seq j2 1
--> 2 ps seq j3 5
--> 2 ps seq j4 1000

--## unique jobs
if redis.call('SADD', KEYS[2], ARGV[1]) == 1 then
  return redis.call('RPUSH', KEYS[1], ARGV[1])
end
return redis.call('LLEN', KEYS[1]) * -1
--> 2 uq us a
--> 2 uq us b
--> 2 uq us a

--## job with attempts, kept as JSON
local job = redis.call('HGET', KEYS[1], ARGV[1])
if not job then return redis.error_reply('NOJOB no such job') end
local j = cjson.decode(job)
j.attempts = (j.attempts or 0) + 1
if j.attempts >= j.max then
  j.state = 'failed'
  redis.call('LPUSH', KEYS[2], ARGV[1])
else
  j.state = 'retry'
  redis.call('ZADD', KEYS[3], tonumber(ARGV[2]) + 2 ^ j.attempts * 1000, ARGV[1])
end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode({j.id, j.state, j.attempts, j.max}))
return {j.state, j.attempts}
--= HSET jobs 7 '{"id":7,"max":2}'
--> 3 jobs dead retry 7 5000
--= HGET jobs 7
--= HSET jobs 8 '{"id":8,"max":2,"attempts":1,"data":{"x":[1,2,3]}}'
--> 3 jobs dead retry 8 5000
--> 3 jobs dead retry 9 5000
--= ZRANGE retry 0 -1 WITHSCORES

--## batch pop
local n = math.min(tonumber(ARGV[1]), redis.call('LLEN', KEYS[1]))
local items = redis.call('LRANGE', KEYS[1], 0, n - 1)
redis.call('LTRIM', KEYS[1], n, -1)
return items
--= RPUSH bp 1 2 3 4 5
--> 1 bp 2
--> 1 bp 10
--> 1 bp 10

--## messages as MessagePack
local m = cmsgpack.pack({id = tonumber(ARGV[1]), body = ARGV[2]})
redis.call('RPUSH', KEYS[1], m)
local back = cmsgpack.unpack(redis.call('LINDEX', KEYS[1], -1))
return {back.id, back.body, #m}
--> 1 mp 1 hello
--> 1 mp 70000 ''
--> 1 mp 1.5 x

--## blocking commands do not wait here
return {redis.pcall('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT'), redis.call('LLEN', KEYS[2])}
--= RPUSH bl a
--> 2 bl bm
--> 2 bl bm

--## ring buffer
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
return redis.call('LRANGE', KEYS[1], 0, -1)
--> 1 ring a 2
--> 1 ring b 2
--> 1 ring c 2

--## heartbeat and dead workers
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local dead = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do if tonumber(ARGV[2]) - tonumber(all[i + 1]) > 30 then dead[#dead + 1] = all[i] end end
table.sort(dead)
return #dead > 0 and redis.call('HDEL', KEYS[1], unpack(dead)) or 0
--> 1 hb w1 100
--> 1 hb w2 120
--> 1 hb w3 145
--= HLEN hb
