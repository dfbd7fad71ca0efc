"""Several writes in one step. Those of a worker pass even if Redis is full, since finishing what it is at frees memory.

Otherwise a step that has something to write would hold its thread until there is memory; and once all threads are held,
nobody works off what fills Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.governor import EVEN_IF_FULL, KEY_PREFIX
from worker.process.state import working
from worker.redis.connection import get_redis
from worker.redis.patience import waits_for_redis

#: KEYS[1]: a key, which in a cluster begins with the tag of all keys. ARGV[1]: 1 if it must pass. Then each command:
#: the number of its words, and the words, of which the second is its key.
SCRIPT = f"""
local tag = KEYS[1]:match('^{{[^}}]*}}:') or ''
if ARGV[1] == '1' then {EVEN_IF_FULL} end
local answers, at = {{}}, 2
while ARGV[at] do
  local last = at + tonumber(ARGV[at])
  answers[#answers + 1] = redis.call(ARGV[at + 1], tag .. ARGV[at + 2], unpack(ARGV, at + 3, last))
  at = last + 1
end
return answers
"""


@waits_for_redis
def write(*commands: Sequence[Any]) -> list[Any]:
    """Carry out these commands, all or none. Return what Redis answers to each."""
    words = [word for command in commands for word in (len(command), *command)]
    answers: list[Any] = get_redis().register_script(SCRIPT)([KEY_PREFIX], [int(working.is_set()), *words])
    return answers
