-- Claim a lease for a request: one that was granted to a task, or one for a process that sends it itself.

-- id ttl_ms unrepeatable holder -> state, attempts used so far, reason, how often there was no room for its result
--   state   ok | none (no lease) | unknown (was sent before) | revoked | expired: it must not be sent any more |
--           decided: it has traveled with others, and the reason is what has become of it
-- holder tells deliveries apart: the same one may ask again when the connection broke before it had the reply.
function ops.claim(id, ttl, unrepeatable, holder)
  local function used(what) return tonumber(call('HGET', P .. what, id)) or 0 end
  if call('HGET', P .. 'holder', id) == holder then return { 'ok', used('attempts'), '', used('roomless') } end
  local outcome = call('GET', key('outcome', id))
  if outcome then
    -- For as long as its message may be delivered once more.
    call('PEXPIRE', key('outcome', id), DAY_MS)
    return { 'decided', used('attempts'), outcome, 0 }
  end
  -- A worker that was taken for dead asks: by now the task travels with others, whose request is claimed for it.
  if (call('HGET', P .. 'lease', id) or ''):sub(1, 2) == '|@' then return { 'none', 0, '', 0 } end
  local deadline = tonumber(call('ZSCORE', P .. 'granted', id))
  local reason = call('GET', key('revoked', id))
  local expires = tonumber(call('HGET', P .. 'expires', id))
  -- What may have been carried out and must not be repeated is no longer a matter of being wanted.
  local sent = unrepeatable == '1' and call('EXISTS', key('sent', id)) == 1
  if reason or expires and expires <= now then
    local state = sent and 'unknown' or reason and 'revoked' or 'expired'
    if deadline then close_lease(id, false) end
    return { state, used('attempts'), reason or '', 0 }
  end
  if not deadline or deadline <= now then return { 'none', 0, '', 0 } end
  if call('EXISTS', P .. 'paused') == 1 then
    local queue, line = call('HGET', P .. 'lease', id):match('^([^|]*)|(.*)$')
    local may, probe = paused(line, queue)
    -- It was released before the pause. What is tried meanwhile has been released since.
    if may == 0 and not probe then
      close_lease(id, false)
      return { 'none', 0, '', 0 }
    end
  end
  if sent then
    close_lease(id, false)
    return { 'unknown', used('attempts'), '', 0 }
  end
  -- Whoever has sent it may not have said so yet.
  if unrepeatable == '1' and is_reunion(born()) then
    close_lease(id, false)
    return { 'none', 0, '', 0 }
  end
  if unrepeatable == '1' then call('SET', key('sent', id), now, 'PX', 7 * DAY_MS) end
  call('ZREM', P .. 'granted', id)
  call('ZADD', P .. 'claimed', now + tonumber(ttl), id)
  call('HSET', P .. 'holder', id, holder)
  return { 'ok', used('attempts'), '', used('roomless') }
end

-- line spec id ttl_ms -> 0 if leased, -1 if somebody has paused it, else ms to wait. For a request made in the
-- caller's own process; where Klaviyo has refused the account, such a request may be the one that finds it right again.
function ops.reserve(line, spec_text, id, ttl)
  if is_leased(id) then return 0 end  -- asked again because the connection broke before the reply
  local may, probe = paused(line, spec_text:match('^[^;]*'))
  if may == 0 and not probe then return -1 end
  enter_line(line, spec_text)
  sweep()
  local spec = parse(spec_text)
  for _, b in ipairs(spec.buckets) do
    load_bucket(b)
    call('ZREM', key('wanted', b.name), id)
    b.wanted = 0
  end
  mark_urgent(spec_text)
  local at, fallback = next_grant(spec, born(), 'now', blocked_until(line, spec), 1)
  if not at or at > now then
    local wait = math.max(1, (at or fallback) - now)
    for _, b in ipairs(spec.buckets) do
      local wanted = key('wanted', b.name)
      call('ZADD', wanted, now + wait + WANTED_MARGIN_MS, id)
      call('PEXPIRE', wanted, wait + WANTED_MARGIN_MS)
      local until_then = tonumber(call('HGET', key('bucket', b.name), 'wanted_until')) or 0
      call('HSET', key('bucket', b.name), 'wanted_until', math.max(until_then, now + wait + WANTED_MARGIN_MS))
    end
    return wait
  end
  open_leases({ id }, line, spec, 'claimed', tonumber(ttl), '')
  call('ZADD', P .. 'served', now, line)
  return 0
end
