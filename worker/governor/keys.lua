-- The governor: who may send a request now, and who waits. Each operation is a script, so that it is atomic.
-- worker.governor.script joins it from the files of this directory in a fixed order: a file uses the locals of those
-- before it.
--
-- KEYS[1]  prefix of every key below, "klaviyo:"; in a cluster with the tag before it that every key has there
-- ARGV[1]  operation; ARGV[2] now in ms, or "" for the server's clock (a test passes its own); ARGV[3…] as described there
--
-- A task waits in the list of its line (account + the buckets it draws on). A line is looked at when it is due.
-- A lease counts against every window of every bucket of its line from the grant until Klaviyo has answered; then
-- each bucket's ring gets the time of the answer in its place. A request reached Klaviyo before its answer was
-- stamped and after its grant, so "answer N back + T is over at the grant" means that at most N
-- arrivals lie in any T, whatever the phase of Klaviyo's windows and whatever the latency. No margin is needed.
--
--   lines           hash   line -> spec "queue;bucket=limit:ms,limit:ms;bucket=…"
--   waiting         hash   id -> "lane|line|share\nmessage" of every task that waits, so that one is found without a
--                          search; share tells what it can share a request with: "records bytes once key what=said …"
--   carriers        hash   line -> "records bytes line spec" of a request that carries several of its tasks: how much
--                          it takes, and where it belongs itself
--   riding          hash   id of such a request -> "queue|line": its own queue, and the line of what travels with it;
--                          "@queue|line" while a job of Klaviyo's has it
--   riders:<id>     list   what travels with it, in order: "id\n" and what is in waiting
--   gone:<line>:<n> how many of its tasks went together in the nth ten seconds while others waited (expires)
--   aboard          hash   "line thing" -> the request under way with which a task travels that says something of it
--   outcome:<id>    JSON, what has become of a task that traveled, until the worker that gets it has ended it
--   alone           set while a worker says that nothing shall travel together
--   now:<line>      list   ids, oldest at the right                 bulk:<line>  the same, served after now
--   later:<line>    zset   "lane|id" -> not before (ms); "lane|^id" for one that goes to the head
--   expires         hash   id -> when a task expires (ms), from its publishing to its end
--   expiring        zset   the same of those that wait
--   revoked:<id>    set for a while: the task must not be sent; its value is the reason
--   paused          hash   "account:a", "action:a:x", "action:x" or "tier:queue" -> "probe|interval|JSON": who, when, why;
--                          where probe is not 0, one task is tried at that time (ms), the next one two intervals later
--   due             zset   line -> when it is worth looking at; also a queue for which accounts wait
--   served          zset   line -> when it was served last
--   ring:<bucket>   list   times of answers in ms, newest at the left
--   bucket:<bucket> hash   flight (leases out), limit (adopted from Klaviyo), foreign, foreign_until (others' use),
--                          unheard:<ms> (after a failover: what may be missing in a window),
--                          urgent (until when a part of each window is kept for the lane now), wanted_until
--   wanted:<bucket> zset   id -> until, for requests that a process waits to make itself; looked at before wanted_until
--   blocked         hash   bucket or line -> until (ms), after a 429 or for the reason in
--   block_reasons   hash   line -> why it is blocked, where that is not because of a 429
--   granted claimed zset   id -> deadline of the lease              lease  hash  id -> "queue|line"
--   holder          hash   id -> the delivery that has claimed it   once:<id>    set for a while at each publishing
--   attempts        hash   id -> attempts used                      sent:<id>    set before an unrepeatable request
--   roomless        hash   id -> how often a full server had no room for its result
--   workers         hash   worker -> "expires|slots|queue,queue"    slots  hash  queue -> slots (expires)
--   out             hash   queue -> leases out                      wake:<queue> list a worker sleeps on
--   out:<queue>     hash   account -> leases out, of each that has some or waits for a slot
--   ready:<queue>   zset   account that waits for a slot -> its virtual time (slots.lua)
--   capped:<queue>  zset   the same of one that waits and holds all that it may
--   turns:<queue>   zset   the same of one that does not wait any more, while others do
--   lacking:<queue>:<account>  zset  line of its that waits for a slot -> its place among them
--   weights         hash   account -> its weight, where that is not 1
--   unanswered      hash   account -> since when its requests get no answer (ms)
--   companies       hash   account -> "fingerprint of its key|company id", as far as that is known
--   shared          hash   account -> the account whose buckets it draws on, since both have keys of one company
--   forbidden       hash   account -> how often Klaviyo has answered 403 since it last accepted a request
--   born            string when this state began: a flushed Redis is recognized by its absence; after a failover
--                          "when|ms that may be missing before|ms by which times before are moved"
--   history         string replication id of the primary that the workers have seen last; only where there are replicas
--   alive           string when a worker has last told of itself: a replica that is promoted knows all until then

local TAG, P = KEYS[1]:match('^({[^}]*}:)(.*)$')
P = P or KEYS[1]
local op = ARGV[1]
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Two times are floors of real ones: two ms make up for both.
local ROUNDING_MS = 2
local GRANT_TTL_MS = 15000      -- an unclaimed lease returns unused: without a claim nothing is sent
local FALLBACK_MS = 50          -- when a line waits for an answer whose lease, when closed, should wake it anyway
local PROBATION_MS = 60000      -- how long after its birth an unknown bucket sends one request before the rest
local MAX_RESET_ERROR_MS = 1500 -- RateLimit-Reset is whole seconds: how far the window's start may be off
local MAX_TASKS_PER_TURN = 16   -- of a line, so that lines share the workers' slots
local RECENT_MS = 600000        -- a bucket keeps its reserve for the lane now for so long after that was used, so that no
                                -- long read makes a quick call wait for the next window
local ONCE_MS = 120000          -- how long a second publishing of a task is known as such
local SPAN_MS, SPANS = 10000, 6 -- what goes together is counted in so many spans, and the present one
local WANTED_MARGIN_MS = 2000   -- after the turn of a process that sends a request itself, for it to ask again
local RING_MARGIN_MS, RING_MARGIN_FACTOR = 10000, 1.25  -- by which a ring outlives its longest window
local MAX_UNPACKED = 1000       -- values in one command, since Lua's stack has bounds
local MAX_TOKENS = 64           -- workers of a queue that are woken at once
local MAX_SURPLUS_ANSWERS = 64  -- by which a ring may be too long before it is cut
local REUNION_MS = 2000         -- after a failover, for the workers to tell of the requests that they have under way
-- What a promoted replica may lack: workers tell of themselves every two seconds, and none is promoted that is a minute
-- behind.
local MIN_MISSING_MS, MAX_MISSING_MS = 5000, 60000
local MAX_PROBE_INTERVAL_MS = 60000  -- between two tries of an account that Klaviyo has refused
local SECOND_MS, MINUTE_MS, DAY_MS = 1000, 60000, 86400000

-- How many tasks of a line are looked at for one request that could carry several …
local LOOKED_AT_FIRST, LOOKED_AT_MORE = 100, 10  -- … so many, and so many more for each that was found …
local MAX_LOOKED_AT, MAX_LOOKED_AT_BYTES = 2000, 2e7  -- … but no more than these
local BEHIND_MS = 20            -- until it is looked again whether what a task must not overtake has arrived
local FEW_TASKS = 64            -- of a line, up to which each one more may be what a request was waiting for
local MAX_LONE_KEYS = 4         -- that only one task has, which are passed over

local call = redis.call
if TAG then
  -- Names of keys come with what is asked, too: each gets its tag here. A channel is called as the key that it tells of.
  local all_keys = { DEL = true, EXISTS = true, MGET = true }
  call = function(command, first, ...)
    if not all_keys[command] then return redis.call(command, TAG .. first, ...) end
    local keys = { first, ... }
    for i = 1, #keys do keys[i] = TAG .. keys[i] end
    return redis.call(command, unpack(keys))
  end
end
local function key(name, part) return P .. name .. ':' .. part end

-- A server that is full refuses a script's writes until one that needs no memory has passed; then it takes them all.
-- What works off the waiting lists, or tells that it can, begins with this one; what adds to them must not.
local function even_if_full() call('DEL', P .. 'none') end

-- Store a result and tell who listens.
local function publish(name, value, ttl)
  if ttl == '0' then call('SET', name, value) else call('SET', name, value, 'EX', ttl) end
  call('PUBLISH', name, value)
end

-- What is done once at the end of an operation, however often it has come up: a write costs less than its call.
local afterwards = {}

-- Write what nothing reads again in this operation: at its end, all values of a key in one call.
local writes = { HSET = {}, HDEL = {}, ZADD = {}, ZREM = {}, LPUSH = {} }
local function write_at_end(command, name, value, second)
  local values = writes[command][name]
  if not values then
    values = {}
    writes[command][name] = values
    afterwards[#afterwards + 1] = function()
      for i = 1, #values, MAX_UNPACKED do
        call(command, name, unpack(values, i, math.min(i + MAX_UNPACKED - 1, #values)))
      end
    end
  end
  values[#values + 1] = value
  if second then values[#values + 1] = second end
end

-- The operations, by name.
local ops = {}
