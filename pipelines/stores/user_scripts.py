"""What happens to profiles and lists on the server, each script in one step. For stores/users.py.

KEYS: profile and list of each user, then a log. ARGV: seconds that profiles and that lists live, lists that a log keeps, then
of each user profile, list (empty: none), cause and, but for the first script, the profile as it was read.
"""

# How every script writes a list: under its key and, unless ARGV[3] says 0, into the log, which is the last key. One that is
# there already, byte by byte, is a replay: it is looked for only where `may_be_there`, for reading a list costs as much as
# writing one. `done` ends every script that published.
_PUBLISH = """
local log, n_logged, has_logged = KEYS[#KEYS], ARGV[3], false
local function publish(key, list, why, may_be_there)
  if #list == 0 or (may_be_there and redis.call('GET', key) == list) then return end
  redis.call('SET', key, list, 'EX', ARGV[2])
  if n_logged ~= '0' then
    redis.call('XADD', log, 'MAXLEN', '~', n_logged, '*', 'key', key, 'cause', why, 'list', list)
    has_logged = true
  end
end
local function done(result)
  if has_logged then redis.call('EXPIRE', log, ARGV[2]) end
  return result
end
"""

# Both values of a user in one step, unless a rebuild has replaced the stored profile since, or it was read further from
# the same source. Byte 2 of a profile is its number of marks, bytes 29 to 32 are its generation, 33 to 40 the source of
# its first mark, 41 to 48 the offset: a replay has the same. Returns how many lie behind, then the places of those that a
# rebuild overtook.
WRITE_UNLESS_BEHIND = (
    _PUBLISH
    + """
local function is_behind(stored, profile)
  return string.byte(stored, 2) > 0 and string.byte(profile, 2) > 0
     and string.sub(stored, 33, 40) == string.sub(profile, 33, 40)
     and struct.unpack('<I8', stored, 41) > struct.unpack('<I8', profile, 41)
end
local result = {0}
for i = 1, #KEYS - 1, 2 do
  local at = 4 + (i - 1) / 2 * 3
  local profile = ARGV[at]
  local stored = redis.call('GETRANGE', KEYS[i], 0, 47)
  if #stored > 0 and struct.unpack('<I4', stored, 29) > struct.unpack('<I4', profile, 29) then
    result[#result + 1] = (i - 1) / 2
  elseif #stored > 0 and is_behind(stored, profile) then
    result[1] = result[1] + 1
  else
    redis.call('SET', KEYS[i], profile, 'EX', ARGV[1])
    publish(KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], stored == string.sub(profile, 1, 48))
  end
end
return done(result)
"""
)

# Both values of a user in one step, if the stored profile is still the one that was read, or already the new one.
REPLACE_IF_UNCHANGED = (
    _PUBLISH
    + """
local refused = {}
for i = 1, #KEYS - 1, 2 do
  local at = 4 + (i - 1) / 2 * 4
  local profile, expected = ARGV[at], ARGV[at + 3]
  local stored = redis.call('GET', KEYS[i]) or ''
  if stored == expected or stored == profile then
    redis.call('SET', KEYS[i], profile, 'EX', ARGV[1])
    publish(KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], stored == profile)
  else
    refused[#refused + 1] = (i - 1) / 2
  end
end
return done(refused)
"""
)

# Both values of some users in one step, if all their stored profiles are still those that were read, or all the new ones already.
REPLACE_TOGETHER = (
    _PUBLISH
    + """
local is_old, is_new = true, true
for i = 1, #KEYS - 1, 2 do
  local at = 4 + (i - 1) / 2 * 4
  local stored = redis.call('GET', KEYS[i]) or ''
  is_old = is_old and stored == ARGV[at + 3]
  is_new = is_new and stored == ARGV[at]
end
if not (is_old or is_new) then return {0} end
for i = 1, #KEYS - 1, 2 do
  local at = 4 + (i - 1) / 2 * 4
  redis.call('SET', KEYS[i], ARGV[at], 'EX', ARGV[1])
  publish(KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], is_new)
end
return done({})
"""
)

# The list of a user, if the stored profile is still the one that it was made from. The profile is not written, so it lives no
# longer for it.
PUBLISH_IF_UNCHANGED = (
    _PUBLISH
    + """
local refused = {}
for i = 1, #KEYS - 1, 2 do
  local at = 4 + (i - 1) / 2 * 4
  if redis.call('GET', KEYS[i]) == ARGV[at] then
    publish(KEYS[i + 1], ARGV[at + 1], ARGV[at + 2], true)
  else
    refused[#refused + 1] = (i - 1) / 2
  end
end
return done(refused)
"""
)
