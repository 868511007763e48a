-- Health of a CapacityCheck, by which a sync waits, goes on or ends. What a sync's result has no place for but its message stands there: all lines of the
-- plan, where the condition has only the first three.
--- include shared/object.lua
--- include shared/hints.lua
--- include shared/health.lua

local REPEATED, LINES = 3, 20

local function lines()
  local shown = {}
  for _, line in ipairs(list(at(obj, "status", "lines"))) do
    if text(line) ~= "" and #shown < LINES then
      shown[#shown + 1] = "\n" .. line
    end
  end
  return #shown > REPEATED and table.concat(shown) or ""
end

return health({ degraded = {}, suspended = {}, more = lines() })
