-- The end of a request: its lease, Klaviyo's headers, and what becomes of the task.

local function correct(line, b, limit, remaining, reset)
  local name = key('bucket', b.name)
  load_bucket(b)
  local declared
  for _, w in ipairs(b.windows) do
    if w[2] == 60000 then declared = w[1] end
  end
  local adopted = 0
  if limit ~= (b.limit or declared) then
    adopted = limit
    if limit == declared then call('HDEL', name, 'limit') else call('HSET', name, 'limit', limit) end
    look_again(line, true, 0)
  end
  -- Others' use: what Klaviyo has counted in its window beyond what we can have sent in it.
  local used, starts, ring = limit - remaining, now + reset * 1000 - 60000 - FORWARD, key('ring', b.name)
  local beyond = used - b.flight
  if beyond > 0 then
    local entry = tonumber(call('LINDEX', ring, beyond - 1))
    if not entry or entry < starts then
      local ours = answered_since(ring, starts, beyond - 1)
      local foreign, ends = beyond - ours, now + reset * 1000
      if math.abs(b.foreign_until - ends) < 2500 and b.foreign > foreign then foreign = b.foreign end
      call('HSET', name, 'foreign', foreign, 'foreign_until', ends)
      look_again(line, true, 0)
    end
  end
  return adopted
end

-- Klaviyo has accepted an account's credentials: what waits because it had refused them goes on. accepted_key: their
-- fingerprint; "" if they were not accepted, "*" if a worker has them. Another key than the refused one proves nothing
-- of the workers' key.
local function note_accepted_key(line, accepted_key)
  if accepted_key == '' or call('EXISTS', P .. 'forbidden', P .. 'paused') == 0 then return end
  local account = line:match('^[^:]*')
  call('HDEL', P .. 'forbidden', account)
  local value = call('HGET', P .. 'paused', 'account:' .. account) or '0|'
  local same = accepted_key == '*' or value:find('"key":"' .. accepted_key .. '"', 1, true)
  if value:sub(1, 2) ~= '0|' and same then
    call('HDEL', P .. 'paused', 'account:' .. account)
    wake_all()
  end
end

-- id holder used limit remaining reset block_ms forget accepted_key -> adopted limit, or 0
--   holder    as at the claim: a worker that was taken for dead must not close the lease of its successor
--   used      1 if the request may have reached Klaviyo and was counted there; 0 for a 429, or nothing sent
--   limit …   the RateLimit headers, or "" without them; block_ms  after a 429, else 0
--   forget    1 if the request was certainly not carried out: an unrepeatable action may be sent again
--   accepted_key   as above
function ops.settle(id, holder, used, limit, remaining, reset, block, forget, accepted_key)
  local held_by = call('HGET', P .. 'holder', id)
  if held_by and held_by ~= holder then return 0 end
  if forget == '1' then call('DEL', key('sent', id)) end
  local line, spec = close_lease(id, used == '1')
  local adopted = 0
  if line then
    note_accepted_key(line, accepted_key)
    if tonumber(block) > 0 then
      -- With several buckets nobody says which one was full: only this combination waits.
      local who = #spec.buckets == 1 and spec.buckets[1].name or line
      local was = tonumber(call('HGET', P .. 'blocked', who)) or 0
      call('HSET', P .. 'blocked', who, math.max(was, now + tonumber(block)))
    elseif limit ~= '' and #spec.buckets == 1 then
      adopted = correct(line, spec.buckets[1], tonumber(limit), tonumber(remaining), tonumber(reset))
    end
  end
  serve_due(8)
  return adopted
end

-- unacked unacked_index | id holder limit remaining reset accepted_key key value ttl_s, for each task -> adopted limits
-- The end of tasks whose requests have succeeded, all of it in one step: the leases are settled as above, the results
-- stored, key "" where nobody wants one, and the deliveries, which held the leases, struck off the record.
function ops.finish(unacked, index, ...)
  local values, ids, ends, tags = { ... }, {}, {}, {}
  for i = 1, #values, 9 do ids[#ids + 1] = values[i] end
  local holders, closing = call('HMGET', P .. 'holder', unpack(ids)), {}
  for i, id in ipairs(ids) do
    local holder, limit, remaining, reset, accepted_key, name, value, ttl = unpack(values, 9 * i - 7, 9 * i)
    if not holders[i] or holders[i] == holder then
      closing[#closing + 1] = id
      ends[#closing] = { i, limit, remaining, reset, accepted_key }
    end
    if name ~= '' then publish(name, value, ttl) end
    tags[i] = holder
  end
  local adopted = {}
  for i = 1, #ids do adopted[i] = 0 end
  local noted = {}
  for n, line in ipairs(#closing > 0 and close_leases(closing, true) or {}) do
    local i, limit, remaining, reset, accepted_key = unpack(ends[n])
    local spec = line and load_line(line)
    if spec then
      local who = accepted_key .. line:match('^[^:]*')
      if not noted[who] then note_accepted_key(line, accepted_key) end
      noted[who] = true
      if limit ~= '' and #spec.buckets == 1 then
        adopted[i] = correct(line, spec.buckets[1], tonumber(limit), tonumber(remaining), tonumber(reset))
      end
    end
  end
  call('HDEL', unacked, unpack(tags))
  call('ZREM', index, unpack(tags))
  serve_due(8)
  return adopted
end
