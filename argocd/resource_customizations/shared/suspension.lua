-- When somebody may suspend an object or let it go on, which is the same for VirtualMachines and GitSources.

local SUSPENDED = "reef.dev/suspended"

local function is_going()
  return at(obj, "metadata", "deletionTimestamp") ~= nil and "it is being deleted" or nil
end

-- An annotation whose end has passed does nothing, and may be replaced.
local function against_suspend()
  local holds = annotation(SUSPENDED) ~= nil and is_true("Suspended")
  return is_going() or (holds and "it is suspended already: " .. text(at(condition("Suspended"), "message")) or nil)
end

local function against_resume()
  return is_going() or (annotation(SUSPENDED) == nil and "it has no annotation " .. SUSPENDED or nil)
end
