-- Carry out the one operation that was asked for.

-- Whoever adds something is told that Redis is full, or says itself that it must be taken; a look changes nothing.
local asks = {
  wait = true, wait_all = true, put = true, bind = true, store = true, room = true, look_at = true, counts = true,
}
if not asks[op] then even_if_full() end
local arguments = {}
for i = 3, #ARGV do arguments[#arguments + 1] = ARGV[i] end
local answer = ops[op](unpack(arguments))
for _, finish in ipairs(afterwards) do finish() end
return answer
