-- Which accounts have private keys of the same company: Klaviyo counts these together, so they draw on the same buckets,
-- those of the first of them by name.

-- The lines of each account: its name, and by bucket how many leases of it are out and how long its ring is kept.
local function drawn_by(accounts)
  local drawn, leased = {}, {}
  for _, lease in ipairs(call('HVALS', P .. 'lease')) do
    local line = lease:match('|(.*)$')
    leased[line] = (leased[line] or 0) + 1
  end
  local all = call('HGETALL', P .. 'lines')
  for i = 1, #all, 2 do
    local line, spec = all[i], all[i + 1]
    local account = line:match('^[^:]*')
    if accounts[account] then
      local of = drawn[account] or { lines = {}, buckets = {} }
      drawn[account] = of
      of.lines[#of.lines + 1] = line
      for bucket, list in spec:gmatch(';[^:]*(:.-)=([%d:,]+)') do
        local longest = 0
        for length in list:gmatch(':(%d+)') do longest = math.max(longest, tonumber(length)) end
        local b = of.buckets[bucket] or { flight = 0, longest = longest }
        of.buckets[bucket] = b
        b.flight = b.flight + (leased[line] or 0)
      end
    end
  end
  return drawn
end

-- Enter the answers of one ring into another.
local function merge(from, to, longest)
  local one, other, times = call('LRANGE', from, 0, -1), call('LRANGE', to, 0, -1), {}
  if #one == 0 then return end
  for _, list in ipairs({ one, other }) do
    for _, time in ipairs(list) do times[#times + 1] = tonumber(time) end
  end
  table.sort(times, function(a, b) return a > b end)
  call('DEL', to)
  for first = 1, #times, MAX_UNPACKED do
    call('RPUSH', to, unpack(times, first, math.min(first + MAX_UNPACKED - 1, #times)))
  end
  call('PEXPIRE', to, longest * RING_MARGIN_FACTOR + RING_MARGIN_MS)
end

-- From now on an account draws on other buckets. What it has out is counted there, and what was used of the former ones,
-- unless those are in `merged`, or there is no such table.
local function move(of, from, to, merged)
  for bucket, b in pairs(of.buckets) do
    local before, after = from .. bucket, to .. bucket
    if b.flight > 0 then
      call('HINCRBY', key('bucket', before), 'flight', -b.flight)
      call('HINCRBY', key('bucket', after), 'flight', b.flight)
    end
    if merged and not merged[before] then
      merged[before] = true
      merge(key('ring', before), key('ring', after), b.longest)
      local is_429 = call('HEXISTS', P .. 'block_reasons', before) == 0
      local blocked = is_429 and tonumber(call('HGET', P .. 'blocked', before)) or 0
      local already = tonumber(call('HGET', P .. 'blocked', after)) or 0
      if blocked > already then
        call('HSET', P .. 'blocked', after, blocked)
        call('HDEL', P .. 'block_reasons', after)
      end
    end
  end
  for _, line in ipairs(of.lines) do call('ZADD', P .. 'due', 'XX', 'LT', now, line) end
end

-- account fingerprint company -> how many accounts draw on other buckets than before. Its key, which has this
-- fingerprint, belongs to this company; fingerprint "": it has no private key any more.
function ops.join(account, fingerprint, company)
  local before = call('HGET', P .. 'companies', account)
  if fingerprint == '' then
    call('HDEL', P .. 'companies', account)
  else
    call('HSET', P .. 'companies', account, fingerprint .. '|' .. company)
  end
  local known, first, accounts = call('HGETALL', P .. 'companies'), {}, { [account] = account }
  for i = 1, #known, 2 do
    local each, its = known[i], known[i + 1]:match('|(.*)$')
    accounts[each] = its
    if its ~= '' and (not first[its] or each < first[its]) then first[its] = each end
  end
  local moves, changed = {}, 0
  for each, its in pairs(accounts) do
    local from, to = budget_of(each), first[its] or each
    if from ~= to then moves[each], changed = { from, to }, changed + 1 end
  end
  if changed == 0 then return 0 end
  local drawn, merged = drawn_by(moves), {}
  for each, way in pairs(moves) do
    if way[2] == each then call('HDEL', P .. 'shared', each) else call('HSET', P .. 'shared', each, way[2]) end
    merged[way[2]] = merged[way[2]] or {}
    -- A key of another company than the former one has used nothing there.
    local used = not (each == account and before) and merged[way[2]] or nil
    if drawn[each] then move(drawn[each], way[1], way[2], used) end
  end
  -- What nobody draws on any more would be counted twice, should it be joined again.
  for each, way in pairs(moves) do
    if way[1] == each and drawn[each] then
      for bucket in pairs(drawn[each].buckets) do
        call('DEL', key('ring', each .. bucket), key('bucket', each .. bucket))
      end
    end
  end
  return changed
end
