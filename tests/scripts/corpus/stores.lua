--## inventory: reserve several items or none
local wanted = cjson.decode(ARGV[1])
local missing = {}
for _, item in ipairs(wanted) do
  local have = tonumber(redis.call('HGET', KEYS[1], item.sku) or '0')
  if have < item.qty then missing[#missing + 1] = item.sku end
end
if #missing > 0 then return {err = 'STOCK ' .. table.concat(missing, ',')} end
for _, item in ipairs(wanted) do
  redis.call('HINCRBY', KEYS[1], item.sku, -item.qty)
  redis.call('HINCRBY', KEYS[2], item.sku, item.qty)
end
return redis.status_reply('RESERVED')
--= HSET stock apple 5 pear 2
--> 2 stock held '[{"sku":"apple","qty":2},{"sku":"pear","qty":1}]'
--> 2 stock held '[{"sku":"apple","qty":2},{"sku":"pear","qty":2},{"sku":"plum","qty":1}]'
--> 2 stock held '[]'
--> 2 stock held '{}'
--> 2 stock held 'null'
--> 2 stock held '[{"sku":"apple"}]'
--= HGETALL stock

--## transfer between accounts
local amount = tonumber(ARGV[1])
if not amount or amount <= 0 then return redis.error_reply('AMOUNT must be positive') end
local balance = tonumber(redis.call('GET', KEYS[1]) or 0)
if balance < amount then return redis.error_reply('FUNDS only ' .. balance) end
redis.call('DECRBY', KEYS[1], amount)
return redis.call('INCRBY', KEYS[2], amount)
--= MSET acc1 100 acc2 0
--> 2 acc1 acc2 30
--> 2 acc1 acc2 300
--> 2 acc1 acc2 -1
--> 2 acc1 acc2 1.5
--> 2 none acc2 1

--## merge a document
local function merge(a, b)
  for k, v in pairs(b) do
    if v == cjson.null then a[k] = nil
    elseif type(v) == 'table' and type(a[k]) == 'table' then merge(a[k], v)
    else a[k] = v end
  end
  return a
end
local doc = cjson.decode(redis.call('GET', KEYS[1]) or '{}')
merge(doc, cjson.decode(ARGV[1]))
local keys = {}
for k in pairs(doc) do keys[#keys + 1] = k end
table.sort(keys)
local out = {}
for _, k in ipairs(keys) do out[#out + 1] = k .. '=' .. cjson.encode(doc[k]) end
redis.call('SET', KEYS[1], table.concat(out, ';'))
return out
--= SET doc '{"a":1,"b":{"c":2},"z":null}'
--> 1 doc '{"a":null,"b":{"d":[1,2,3.5]},"n":"é\u00fc"}'
--= SET doc2 '[1,2'
--> 1 doc2 '{}'
--> 1 doc3 '{"x":true}'

--## sums over JSON rows
local rows = redis.call('LRANGE', KEYS[1], 0, -1)
local sum, max, tags = 0, -math.huge, {}
for _, row in ipairs(rows) do
  local r = cjson.decode(row)
  sum = sum + r.price * (r.qty or 1)
  max = math.max(max, r.price)
  for _, t in ipairs(r.tags or {}) do tags[t] = (tags[t] or 0) + 1 end
end
local list = {}
for t, n in pairs(tags) do list[#list + 1] = t .. n end
table.sort(list)
return {tostring(sum), tostring(max), list}
--= RPUSH rows '{"price":1.25,"qty":4,"tags":["a","b"]}' '{"price":10,"tags":["a"]}' '{"price":0.1}'
--> 1 rows
--> 1 norows

--## compare and set by version
local current = redis.call('HGET', KEYS[1], 'version')
if current ~= ARGV[1] and not (current == false and ARGV[1] == '0') then return {0, current or 'none'} end
redis.call('HSET', KEYS[1], 'data', ARGV[2])
return {1, redis.call('HINCRBY', KEYS[1], 'version', 1)}
--> 1 cas 0 first
--> 1 cas 0 again
--> 1 cas 1 second

--## cache with tags
redis.call('SET', KEYS[1], ARGV[1], 'EX', 1000)
for i = 2, #ARGV do redis.call('SADD', 'tag:' .. ARGV[i], KEYS[1]) end
return redis.call('SMEMBERS', 'tag:' .. ARGV[#ARGV])
--> 1 page1 html news
--> 1 page2 html sport

--## drop by tag
local keys = redis.call('SMEMBERS', KEYS[1])
local n = 0
for _, key in ipairs(keys) do n = n + redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
return n
--= MSET c1 x c2 x
--= SADD tagged c1 c2 c3
--> 1 tagged
--= EXISTS c1 c2

--## bloom filter
local h1, h2 = tonumber('0x' .. redis.sha1hex(ARGV[1]):sub(1, 8)), tonumber('0x' .. redis.sha1hex(ARGV[1]):sub(9, 16))
local seen = true
for i = 0, 3 do
  local at = (h1 + i * h2) % 1024
  if redis.call('SETBIT', KEYS[1], at, 1) == 0 then seen = false end
end
return seen
--> 1 bloom apple
--> 1 bloom pear
--> 1 bloom apple
--= BITCOUNT bloom

--## ids of 53 bits
local ms, shard = tonumber(ARGV[1]), tonumber(ARGV[2])
local sequence = redis.call('INCR', KEYS[1]) % 1024
local id = ms * 8192 + shard * 1024 + sequence
return {id, string.format('%.0f', id), bit.tohex(sequence, 4)}
--> 1 ids 1234567890 3
--> 1 ids 1234567890 3

--## fixed records
local r = struct.pack('>I4HBc0', ARGV[1], ARGV[2], #ARGV[3], ARGV[3])
redis.call('APPEND', KEYS[1], r)
local a, b, text = struct.unpack('>I4HBc0', redis.call('GETRANGE', KEYS[1], -#r, -1))
return {a, b, text, redis.call('STRLEN', KEYS[1])}
--> 1 rec 70000 5 abc
--> 1 rec 1 65535 ''

--## breadth first
local seen, queue, order = {[ARGV[1]] = true}, {ARGV[1]}, {}
while #queue > 0 do
  local node = table.remove(queue, 1)
  order[#order + 1] = node
  local next = redis.call('SMEMBERS', KEYS[1] .. node)
  table.sort(next)
  for _, n in ipairs(next) do if not seen[n] then seen[n] = true queue[#queue + 1] = n end end
end
return order
--= SADD g:a b c
--= SADD g:b d
--= SADD g:c d a
--> 1 g: a
--> 1 g: zz

--## session touch
local s = redis.call('HGETALL', KEYS[1])
if #s == 0 then return false end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], 'seen', ARGV[2])
local t = {}
for i = 1, #s, 2 do t[s[i]] = s[i + 1] end
return {t.user, t.nothing, redis.call('HGET', KEYS[1], 'seen')}
--= HSET sess user ann
--> 1 sess 1000 5
--> 1 nosess 1000 5

--## idempotency
local r = redis.call('GET', KEYS[1])
if r then return cjson.decode(r) end
local result = {'done', tonumber(ARGV[1]) * 2}
redis.call('SET', KEYS[1], cjson.encode(result))
return result
--> 1 idem 21
--> 1 idem 99

--## counters in one string
redis.call('BITFIELD', KEYS[1], 'INCRBY', 'u8', '#' .. ARGV[1], ARGV[2])
return redis.call('BITFIELD', KEYS[1], 'GET', 'u8', '#0', 'GET', 'u8', '#1')
--> 1 bf 0 5
--> 1 bf 1 300

--## protocol 3 inside
redis.setresp(3)
redis.call('HSET', KEYS[1], 'a', '1')
redis.call('ZADD', KEYS[2], '1.5', 'm')
local h = redis.call('HGETALL', KEYS[1])
local z = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
return {h.map.a, z[1][1], z[1][2].double == 1.5, redis.call('GET', 'none') == nil, h}
--> 2 p3h p3z

--## undeclared keys
redis.call('SET', 'undeclared:' .. ARGV[1], 'x')
return redis.call('INCR', 'undeclared:count:' .. ARGV[1])
--> 0 1
--> 0 2
--> 0 1

--## undeclared keys after a write
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[1] == 'far' then for i = 1, 20 do redis.call('INCR', 'far:' .. i) end end
return redis.call('GET', KEYS[1])
--> 1 near near
--> 1 near near
--> 1 near far
--> 1 near near
--= GET far:20

--## an error in the middle leaves what was done
redis.call('SET', KEYS[1], 'done')
redis.call('LPUSH', KEYS[1], 'x')
return 'never'
--> 1 half
--= GET half

--## expiry and encodings
redis.call('SET', KEYS[1], '12345', 'PX', '100000')
redis.call('RPUSH', KEYS[2], 1, 2, 3)
return {redis.call('OBJECT', 'ENCODING', KEYS[1]), redis.call('TYPE', KEYS[2])}
--> 2 enc1 enc2

--## copy and rename
redis.call('SET', KEYS[1], 'v')
return {redis.call('COPY', KEYS[1], KEYS[2]), redis.call('RENAME', KEYS[1], KEYS[3]), redis.pcall('RENAME', KEYS[1], KEYS[3])}
--> 3 cp1 cp2 cp3

--## sort with patterns
return redis.call('SORT', KEYS[1], 'BY', 'weight_*', 'GET', '#', 'GET', 'name_*')
--= RPUSH items 1 2 3
--= MSET weight_1 3 weight_2 1 weight_3 2 name_1 one name_2 two name_3 three
--> 1 items
