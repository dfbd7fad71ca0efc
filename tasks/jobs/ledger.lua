-- The ledger of asynchronous jobs and of the imports that they belong to. One script, so that every step of a job
-- happens once, whatever dies: a step that finds the job in another state than it expects changes nothing.
--
-- KEYS[1]  prefix of every key below, "klaviyo:"
-- ARGV[1]  operation; ARGV[2] now in ms, or "" for the server's clock (a test passes its own); ARGV[3…] as shown there
--
--   waiting ──▶ spawning ──▶ accepted ──▶ processing ──▶ ended ──▶ settled
--   no slot     to be sent,  Klaviyo has  Klaviyo works  errors    the outcome
--   is free     or sent      gave its id  on it          are read  is known
--
--   job:<id>                hash  one job: state, kind, account, run, … (tasks/jobs/ledger.py names the fields)
--   jobs                    zset  id -> when it was opened
--   jobs:open:<group>       zset  id -> when it took its slot; group is "account|kind", slots are Klaviyo's cap
--   jobs:queue:<group>      list  ids that wait for a slot, oldest at the left
--   jobs:id:<group>:<id>    Klaviyo's id -> id: no two of our jobs are taken for the same one of Klaviyo's
--   jobs:watch:<group>            the token of the group's watcher; expires
--   jobs:cap:<group>             the cap as Klaviyo applies it while others use slots, too; expires
--   jobs:took:<kind>        list  "seconds records" of the last jobs of this kind, newest at the left
--   overdue                 zset  reminders: "job|<id>", "watch|<group>", … -> when it is due (ms); see worker/reminders.py
--   job:<id>:errors         hash  page -> errors, until it is settled
--   job:<id>:rejects        list  records of an import that have not landed, many in one text
--   run:<id>                hash  one import (tasks/jobs/import_runs.py); what became of its records is summed up here
--   run:<id>:parts          zset  ids of its jobs -> when they were opened

local P, op = KEYS[1], ARGV[1]
local now = tonumber(ARGV[2])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end

local GRACE_MS = 15000     -- after a change of state: for whoever made it to publish the next step
local DURATIONS_KEPT = 20  -- of the last jobs of a kind
local SMALL_BYTES = 65536  -- up to which a packed request is kept until its job is settled
local KEPT_S = 7 * 86400   -- how long a settled job is kept: as long as Klaviyo keeps one; an import's part twice that

local function call(...) return redis.call(...) end
local function job(id) return P .. 'job:' .. id end
local function get(id, ...) return unpack(call('HMGET', job(id), ...)) end

-- Give free slots to the jobs that wait; return their ids. A cap of 0: Klaviyo names none.
local function fill(group, cap)
  local released = {}
  local queue, open = P .. 'jobs:queue:' .. group, P .. 'jobs:open:' .. group
  local lowered = tonumber(call('GET', P .. 'jobs:cap:' .. group))
  if lowered then cap = lowered end
  while cap == 0 or call('ZCARD', open) < cap do
    local id = call('LPOP', queue)
    if not id then break end
    if get(id, 'state') == 'waiting' then
      call('HSET', job(id), 'state', 'spawning')
      call('ZADD', open, now, id)
      call('ZADD', P .. 'overdue', now + GRACE_MS, 'job|' .. id)
      released[#released + 1] = id
    end
  end
  return released
end

local function group_of(id)
  local account, kind, cap = get(id, 'account', 'kind', 'cap')
  return account .. '|' .. kind, tonumber(cap) or 0, kind
end

local ops = {}

-- id cap run urgent field value … -> {1 | 0, ids that may be spawned now}. A known job is not opened again.
-- urgent: 1 if a worker opens it. A full server has to accept that: it lets the worker finish a message.
function ops.open(id, cap, run, urgent, ...)
  local known = call('EXISTS', job(id)) == 1
  if known or urgent == '1' then call('DEL', P .. 'none') end
  if known then
    call('HSET', job(id), 'cap', cap)  -- so that replicas have something to confirm
    return { 0, {} }
  end
  call('HSET', job(id), 'state', 'waiting', 'cap', cap, 'run', run, 'opened', now, ...)
  call('ZADD', P .. 'jobs', now, id)
  call('ZREMRANGEBYSCORE', P .. 'jobs', '-inf', now - 2 * KEPT_S * 1000)
  if run ~= '' then
    call('HINCRBY', P .. 'run:' .. run, 'parts', 1)
    call('ZADD', P .. 'run:' .. run .. ':parts', now, id)
  end
  local group = group_of(id)
  call('RPUSH', P .. 'jobs:queue:' .. group, id)
  return { 1, fill(group, tonumber(cap)) }
end

-- id lease_ms holder -> 1 if it may be sent now; 0 if another worker may be sending it. From here until it is accepted, it
-- is unknown whether Klaviyo has it. The same delivery may ask again when the connection broke before it had the reply.
function ops.mark_sending(id, lease, holder)
  local state, sent, sender = get(id, 'state', 'sent', 'sender')
  local is_sent = sent and sender ~= holder and tonumber(sent) + tonumber(lease) > now
  if state ~= 'spawning' or is_sent then return 0 end
  call('HSET', job(id), 'sent', now, 'sender', holder)
  return 1
end

-- id klaviyo_id own -> 1 | 0 (not in that state) | -1 (another job of ours has this id, and it should be its own)
function ops.accept(id, klaviyo_id, own)
  if get(id, 'state') ~= 'spawning' then return 0 end
  if own == '1' then
    local taken = P .. 'jobs:id:' .. group_of(id) .. ':' .. klaviyo_id
    call('SET', taken, id, 'NX', 'EX', 2 * KEPT_S)
    if call('GET', taken) ~= id then return -1 end
  end
  call('HSET', job(id), 'state', 'accepted', 'job_id', klaviyo_id, 'accepted', now)
  -- A small request is kept until its job is settled: errors may name its records.
  if call('HSTRLEN', job(id), 'request') > SMALL_BYTES then call('HDEL', job(id), 'request') end
  call('ZADD', P .. 'overdue', now + GRACE_MS, 'job|' .. id)
  return 1
end

-- id field value … -> 1. Klaviyo has certainly not received it: it may be sent again, with these fields changed.
function ops.allow_resend(id, ...)
  if get(id, 'state') ~= 'spawning' then return 0 end
  call('HDEL', job(id), 'sent')
  if #{ ... } > 0 then call('HSET', job(id), ...) end
  call('ZADD', P .. 'overdue', now + GRACE_MS, 'job|' .. id)
  return 1
end

-- Add to the counts of a job's records, and to those of its import.
local function count(id, run, landed, rejected, unknown, rejects)
  local counts = { landed = landed, rejected = rejected, unknown = unknown }
  for name, number in pairs(counts) do
    if tonumber(number) ~= 0 then
      call('HINCRBY', job(id), name, number)
      if run ~= '' then call('HINCRBY', P .. 'run:' .. run, name, number) end
    end
  end
  for _, reject in ipairs(rejects) do call('RPUSH', job(id) .. ':rejects', reject) end
end

-- id rejected n reject1 … rejectn field value … -> 1. Klaviyo refused it for `rejected` of its records, given in n
-- texts: it may be sent again without them. If it is not "sent", this has been recorded already.
function ops.resend_without(id, rejected, n, ...)
  local state, sent, run = get(id, 'state', 'sent', 'run')
  if state ~= 'spawning' or not sent then return 0 end
  local given = { ... }
  count(id, run, 0, rejected, 0, { unpack(given, 1, tonumber(n)) })
  return ops.allow_resend(id, unpack(given, tonumber(n) + 1))
end

-- id delay_ms -> 1. Klaviyo's cap is reached: it waits again, ahead of the others, until a slot is free or time is up.
function ops.job_cap_reached(id, delay)
  if get(id, 'state') ~= 'spawning' then return 0 end
  local group = group_of(id)
  call('HSET', job(id), 'state', 'waiting')
  call('ZREM', P .. 'jobs:open:' .. group, id)
  call('ZREM', P .. 'overdue', 'job|' .. id)
  call('LPUSH', P .. 'jobs:queue:' .. group, id)
  call('HDEL', job(id), 'sent')
  local taken = call('ZCARD', P .. 'jobs:open:' .. group)
  call('SET', P .. 'jobs:cap:' .. group, math.max(taken, 1), 'PX', tonumber(delay))
  call('ZADD', P .. 'overdue', now + tonumber(delay) + 10, 'slots|' .. group)
  return 1
end

-- account|kind -> ids that may be spawned now. The reminder stays while there are none.
function ops.slots(group)
  local queue, released = P .. 'jobs:queue:' .. group, {}
  local first = call('LINDEX', queue, 0)
  if first then released = fill(group, tonumber(get(first, 'cap')) or 0) end
  if #released > 0 or not first then call('ZREM', P .. 'overdue', 'slots|' .. group) end
  return released
end

-- id polled_ms state counters -> 1 if its state has changed, 0 if not, -1 if the job is over
function ops.record_poll(id, polled_ms, state, counters)
  local before = get(id, 'state')
  if before ~= 'accepted' and before ~= 'processing' then return -1 end
  call('HSET', job(id), 'polled_ms', polled_ms, 'state', state)
  if counters ~= '' then call('HSET', job(id), 'counters', counters) end
  return before ~= state and 1 or 0
end

-- id status counters errors failure -> {1 | 0, ids that may be spawned now}. Klaviyo is done with it, or refused it.
--   errors   those in the answer about the job itself, as the first page; others are still to be read
--   failure  why it was not accepted, or ""
function ops.finish(id, status, counters, errors, failure)
  local before, since, items = get(id, 'state', 'accepted', 'items')
  if before ~= 'spawning' and before ~= 'accepted' and before ~= 'processing' then return { 0, {} } end
  local group, cap, kind = group_of(id)
  call('HSET', job(id), 'state', 'ended', 'status', status, 'ended', now, 'failure', failure)
  if counters ~= '' then call('HSET', job(id), 'counters', counters) end
  if errors ~= '' then call('HSET', job(id) .. ':errors', '0', errors) end
  call('ZADD', P .. 'overdue', now + GRACE_MS, 'job|' .. id)
  call('ZREM', P .. 'jobs:open:' .. group, id)
  if status == 'complete' then
    local took = P .. 'jobs:took:' .. kind
    call('LPUSH', took, (now - tonumber(since)) / 1000 .. ' ' .. (tonumber(items) or 0))
    call('LTRIM', took, 0, DURATIONS_KEPT - 1)
  end
  return { 1, fill(group, cap) }
end

-- id page errors -> 1. A page of the job's errors; the same page again replaces itself.
function ops.keep_errors(id, page, errors)
  call('HSET', job(id) .. ':errors', page, errors)
  return 1
end

local function settle(id, status, outcome, landed, rejected, unknown, rejects)
  local run = get(id, 'run')
  local group, cap = group_of(id)
  call('HSET', job(id), 'state', 'settled', 'status', status, 'outcome', outcome, 'settled', now)
  call('HDEL', job(id), 'request', 'continuation')
  call('DEL', job(id) .. ':errors')
  call('ZREM', P .. 'overdue', 'job|' .. id)
  call('ZREM', P .. 'jobs:open:' .. group, id)
  count(id, run or '', landed, rejected, unknown, rejects)
  local kept = KEPT_S
  if run and run ~= '' then
    call('HINCRBY', P .. 'run:' .. run, 'settled', 1)
    kept = 2 * KEPT_S  -- an import that is resumed must know what has landed
  end
  call('EXPIRE', job(id), kept)
  call('EXPIRE', job(id) .. ':rejects', kept)
  return { 1, fill(group, cap) }
end

-- id status outcome landed rejected unknown reject … -> {1 | 0, ids that may be spawned now}. Record, once, the
-- outcome of a job that has ended.
--   landed …  how many of its records, of those that are not counted yet
--   reject …  what is known of the others
function ops.settle(id, status, outcome, landed, rejected, unknown, ...)
  if get(id, 'state') ~= 'ended' then return { 0, {} } end
  return settle(id, status, outcome, landed, rejected, unknown, { ... })
end

-- id -> 1 | 0. Forget a part of an import that has not landed, so that it can be opened again.
function ops.forget(id)
  local state, run, landed, rejected, unknown = get(id, 'state', 'run', 'landed', 'rejected', 'unknown')
  local status, items = get(id, 'status', 'items')
  if state ~= 'settled' or not run or run == '' then return 0 end
  local key = P .. 'run:' .. run
  local withdrawn = status == 'withdrawn' and items or 0
  local counted = { landed = landed, rejected = rejected, unknown = unknown, withdrawn = withdrawn, settled = 1, parts = 1 }
  for name, number in pairs(counted) do
    call('HINCRBY', key, name, -(tonumber(number) or 0))
  end
  call('ZREM', key .. ':parts', id)
  call('ZREM', P .. 'jobs', id)
  call('DEL', job(id), job(id) .. ':rejects')
  return 1
end

-- id outcome -> {1 | 0, ids that may be spawned now}. Withdraw it if Klaviyo cannot have it.
function ops.withdraw(id, outcome)
  local state, sent = get(id, 'state', 'sent')
  if state ~= 'waiting' and (state ~= 'spawning' or sent) then return { 0, {} } end
  local run, items = get(id, 'run', 'items')
  if run and run ~= '' then call('HINCRBY', P .. 'run:' .. run, 'withdrawn', tonumber(items) or 0) end
  return settle(id, 'withdrawn', outcome, 0, 0, 0, {})
end

-- account|kind token ms takeover -> 1 if this is now the group's watcher. A reminder is due soon, in case it does not
-- publish its first poll.
function ops.watch(group, token, ms, takeover)
  local key = P .. 'jobs:watch:' .. group
  local current = call('GET', key)
  if current == token then
    call('PEXPIRE', key, ms)
    return 1
  end
  if current and takeover ~= '1' then return 0 end
  call('SET', key, token, 'PX', ms)
  call('ZADD', P .. 'overdue', now + GRACE_MS, 'watch|' .. group)
  return 1
end

-- id -> 1. Klaviyo no longer has its errors.
function ops.mark_expired(id)
  call('HSET', job(id), 'status', 'expired')
  return 1
end

-- account|kind token -> 1 if the watcher may stop: Klaviyo has no job of the group. A job accepted later starts one.
function ops.stop_watching(group, token)
  local key = P .. 'jobs:watch:' .. group
  if call('GET', key) ~= token then return 1 end
  for _, id in ipairs(call('ZRANGE', P .. 'jobs:open:' .. group, 0, -1)) do
    local state = get(id, 'state')
    if state == 'accepted' or state == 'processing' then return 0 end
  end
  call('DEL', key)
  call('ZREM', P .. 'overdue', 'watch|' .. group)
  return 1
end

-- A full server refuses the writes of a script until one write that needs no memory has passed. Opening a job may be
-- refused; every later step frees memory in the end, so it goes through.
if op ~= 'open' then call('DEL', P .. 'none') end
local arguments = {}
for i = 3, #ARGV do arguments[#arguments + 1] = ARGV[i] end
return ops[op](unpack(arguments))
