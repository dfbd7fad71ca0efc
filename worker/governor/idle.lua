-- A worker's turn begins: where nothing is due and no lease has run out, it is over.

local idle = true
for _, what in ipairs({ 'due', 'granted', 'claimed', 'expiring' }) do
  idle = idle and #call('ZRANGEBYSCORE', P .. what, '-inf', now, 'LIMIT', 0, 1) == 0
end
if idle then return 0 end
