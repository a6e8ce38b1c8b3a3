--## acquire
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 else return 0 end
--> 1 lock owner1 600000
--> 1 lock owner2 600000
--= GET lock
--> 1 lock2 owner2 0
--= EXISTS lock2

--## release
if redis.call("get",KEYS[1]) == ARGV[1] then
    return redis.call("del",KEYS[1])
else
    return 0
end
--= SET lock owner1
--> 1 lock owner2
--> 1 lock owner1
--> 1 lock owner1

--## extend
local token = redis.call('get', KEYS[1])
if not token or token ~= ARGV[1] then return 0 end
local expiration = redis.call('pttl', KEYS[1])
if not expiration then expiration = 0 end
if expiration < 0 then return 0 end
local newttl = ARGV[2]
if ARGV[3] == "0" then newttl = ARGV[2] + 1000000 end
redis.call('pexpire', KEYS[1], newttl)
return 1
--= SET elock tok PX 500000
--> 1 elock tok 600000 0
--> 1 elock tok 600000 1
--> 1 elock bad 600000 1
--> 1 none tok 600000 1
--= PERSIST elock
--> 1 elock tok 600000 1

--## redlock over several resources
for i, key in ipairs(KEYS) do
  if redis.call("exists", key) == 1 then return 0 end
end
for i, key in ipairs(KEYS) do
  redis.call("set", key, ARGV[1], "PX", ARGV[2])
end
return #KEYS
--> 3 ra rb rc value 900000
--> 2 rc rd value 900000
--= MGET ra rb rc rd
--> 1 rd value 900000

--## redlock release
local count = 0
for i, key in ipairs(KEYS) do
  if redis.pcall("get", key) == ARGV[1] then
    redis.pcall("del", key)
    count = count + 1
  end
end
return count
--= MSET qa v qb v qc w
--= LPUSH ql v
--> 4 qa qb qc ql v

--## reentrant
if (redis.call('exists', KEYS[1]) == 0) then
  redis.call('hincrby', KEYS[1], ARGV[2], 1);
  redis.call('pexpire', KEYS[1], ARGV[1]);
  return nil;
end;
if (redis.call('hexists', KEYS[1], ARGV[2]) == 1) then
  redis.call('hincrby', KEYS[1], ARGV[2], 1);
  redis.call('pexpire', KEYS[1], ARGV[1]);
  return nil;
end;
return redis.call('hlen', KEYS[1]);
--> 1 re 600000 thread-1
--> 1 re 600000 thread-1
--> 1 re 600000 thread-2
--= HGETALL re

--## reentrant release with a message
if (redis.call('hexists', KEYS[1], ARGV[3]) == 0) then return nil; end;
local counter = redis.call('hincrby', KEYS[1], ARGV[3], -1);
if (counter > 0) then
  redis.call('pexpire', KEYS[1], ARGV[2]);
  return 0;
else
  redis.call('del', KEYS[1]);
  redis.call('publish', KEYS[2], ARGV[1]);
  return 1;
end;
return nil;
--= HSET rr thread-1 2
--> 2 rr chan unlocked 600000 thread-1
--> 2 rr chan unlocked 600000 thread-2
--> 2 rr chan unlocked 600000 thread-1
--> 2 rr chan unlocked 600000 thread-1

--## readers and writer
local mode = redis.call('HGET', KEYS[1], 'mode')
if ARGV[1] == 'read' then
  if mode == 'write' and redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 0 end
  if mode == false then redis.call('HSET', KEYS[1], 'mode', 'read') end
  return redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
end
if mode == false then
  redis.call('HMSET', KEYS[1], 'mode', 'write', ARGV[2], 1)
  return 1
end
return {err = 'LOCKED by ' .. mode}
--> 1 rw read r1
--> 1 rw read r2
--> 1 rw write w1
--= DEL rw
--> 1 rw write w1
--> 1 rw read r1
--> 1 rw read w1

--## fair queue lock
local waiting = redis.call('ZRANK', KEYS[2], ARGV[1])
if waiting == false then
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
  waiting = redis.call('ZRANK', KEYS[2], ARGV[1])
end
if waiting > 0 or redis.call('EXISTS', KEYS[1]) == 1 then return waiting end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SET', KEYS[1], ARGV[1])
return -1
--> 2 fl fq a 1
--> 2 fl fq b 2
--> 2 fl fq c 3
--= DEL fl
--> 2 fl fq c 4
--> 2 fl fq b 5

--## semaphore
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1] - ARGV[2])
if redis.call('zcard', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('zadd', KEYS[1], ARGV[1], ARGV[4])
  return redis.call('zrank', KEYS[1], ARGV[4])
end
--> 1 sem 100 10 2 a
--> 1 sem 101 10 2 b
--> 1 sem 102 10 2 c
--> 1 sem 111 10 2 d

--## fencing token
if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then
  redis.call('EXPIRE', KEYS[1], 900)
  return redis.call('INCR', KEYS[2])
end
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('GET', KEYS[2]) or false
--> 2 ft fc me
--> 2 ft fc me
--> 2 ft fc you
