-- What has run out of time: tasks that expired while they waited, and leases that nobody has claimed or ended.

-- What has expired while it waited goes to a worker, without a lease: its claim is told, and the worker ends it.
local function expire()
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'expiring', '-inf', now, 'LIMIT', 0, 100)) do
    local lane, line, message = find(id)
    if line then
      local spec = load_line(line)
      take_out(id, lane, line)
      call('LPUSH', spec.queue, message)
      wake(spec.queue, 1)
    else
      call('ZREM', P .. 'expiring', id)
    end
  end
end

local function sweep()
  for state, used in pairs({ granted = false, claimed = true }) do
    local over = call('ZRANGEBYSCORE', P .. state, '-inf', now, 'LIMIT', 0, 100)
    -- A request that nobody has taken up, or ended, in time is nobody's any more: its message is worth nothing.
    local riding = #over > 0 and call('HMGET', P .. 'riding', unpack(over)) or {}
    if #over > 0 then close_leases(over, used) end
    for i, id in ipairs(over) do
      if riding[i] then turn_back(id) end
    end
  end
end
