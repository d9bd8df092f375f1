"""What the cache server does in one step, so that no process undoes what another just did."""

from collections.abc import Iterable, Sequence
from typing import Final

from validation.cache.valkey import command

# A purge of the future is a clock that was wrong: it must not keep later ones out.
_RAISE: Final = """
local time = redis.call('TIME')
local latest = time[1] * 1000 + 1000
local news = 0
for i = 1, #ARGV, 2 do
  local known = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '')
  if not (known and known >= tonumber(ARGV[i + 1]) and known <= latest) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    news = 1
  end
end
if news == 1 then redis.call('HINCRBY', KEYS[1], '_rev', 1) end
return news
"""
_TIDY: Final = """
for i = 2, #ARGV do
  local known = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '')
  if known and known < tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
"""


def raise_purges(table: bytes, purges: Iterable[tuple[bytes, int]]) -> bytes:
    """Sets each field to its time where that is later; answers 1, and raises the revision, where
    one was.
    """
    words = [word for purge in purges for word in purge]
    return command("EVAL", _RAISE, 1, table, *words)


def tidy_purges(table: bytes, fields: Iterable[bytes], *, before_ms: int) -> bytes:
    """Removes those fields whose time is still before `before_ms`."""
    return command("EVAL", _TIDY, 1, table, before_ms, *fields)


# A mark is its owner's while the key holds the owner's token.
_RELEASE: Final = """
for i, name in ipairs(KEYS) do
  if redis.pcall('GET', name) == ARGV[i] then redis.call('DEL', name) end
end
"""
_RENEW: Final = """
for i, name in ipairs(KEYS) do
  if redis.pcall('GET', name) == ARGV[i] then redis.call('PEXPIRE', name, ARGV[#KEYS + 1]) end
end
"""


def release_marks(marks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Removes each of the keys that still holds its token, and nothing else."""
    return command("EVAL", _RELEASE, len(marks), *_names(marks), *_tokens(marks))


def renew_marks(marks: Sequence[tuple[bytes, bytes]], *, life_ms: int) -> bytes:
    """Lets each of the keys that still holds its token live on for so long."""
    return command("EVAL", _RENEW, len(marks), *_names(marks), *_tokens(marks), life_ms)


def _names(marks: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    return [name for name, _ in marks]


def _tokens(marks: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    return [token for _, token in marks]
