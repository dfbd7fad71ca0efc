-- What travels with a request, and how it goes back to wait.

-- What travels with a request: {id, lane, line, message, share, stored} each, in order.
local function riders_of(carrier)
  local found = {}
  for i, item in ipairs(call('LRANGE', key('riders', carrier), 0, -1)) do
    local ends = item:find('\n', 1, true)
    local stored = item:sub(ends + 1)
    local lane, line, message, share = taken_apart(stored)
    found[i] = {
      id = item:sub(1, ends - 1), lane = lane, line = line, message = message, share = share, stored = stored
    }
  end
  return found
end

-- The fields of aboard for what riders say.
local function fields_of_all(riders)
  local found = {}
  for _, each in ipairs(riders) do
    local part = part_of(each.share)
    for _, field in ipairs(part and fields_of(each.line, part) or {}) do found[field] = true end
  end
  return found
end

-- They are under way no more: what they say of things may be followed by what others say. others: those that still are,
-- which may say something of the same things.
local function alight(riders, others)
  local said = fields_of_all(others)
  for field in pairs(fields_of_all(riders)) do
    if not said[field] then call('HDEL', P .. 'aboard', field) end
  end
end

local function ids_of(riders)
  local ids = {}
  for i, each in ipairs(riders) do ids[i] = each.id end
  return ids
end

-- Riders go back to the heads of their lists, in their order, some later: those are kept in order by fractions of a ms.
local function back_in_line(riders, not_before)
  for i = #riders, 1, -1 do
    local each = riders[i]
    local at = not_before > now and not_before + i / 2048 or not_before
    enqueue(each.line, each.lane, each.id, each.message, at, true, each.share, '')
  end
end

-- A request will not be made by whoever was to make it: what travels with it waits again, where it may have been sent
-- already for as long as its lease runs.
local function turn_back(carrier)
  if (call('HGET', P .. 'riding', carrier) or ''):sub(1, 1) == '@' then return end  -- a job of Klaviyo's has them
  local riders = riders_of(carrier)
  alight(riders, {})
  call('DEL', key('riders', carrier))
  call('HDEL', P .. 'riding', carrier)
  if not call('ZSCORE', P .. 'claimed', carrier) then
    if #riders > 0 then close_leases(ids_of(riders), false) end
    if is_leased(carrier) then close_leases({ carrier }, false) end
  end
  back_in_line(riders, now)
end
