-- What speaks against each action on a VM; nothing where it makes sense. The list of actions, the actions and the health all ask here.

local STARTS = { Always = true, RerunOnFailure = true }
local UNUSABLE = { Invalid = true, PolicyConflict = true }
local GIVEN_UP = { Partial = true, Infeasible = true, RestartRequired = true }
local WAITING = { Deferred = true, PodConflict = true }
local OVER = { Succeeded = true, Failed = true }

local function against_restart()
  local policy = at(obj, "spec", "runPolicy")
  if is_going() then
    return is_going()
  end
  if not STARTS[policy] then
    return "spec.runPolicy " .. (text(policy) ~= "" and text(policy) or "Once") .. " does not start it by itself; it is started anew for Always and RerunOnFailure"
  end
  if is_true("Suspended") then
    return "it is suspended: resume it first"
  end
  return UNUSABLE[text(at(condition("Ready"), "reason"))] and "its spec cannot be used: " .. text(at(condition("Ready"), "message")) or nil
end

local function is_settled()
  local ready = condition("Ready")
  return at(ready, "status") == "True" and at(ready, "observedGeneration") == at(obj, "metadata", "generation")
end

-- What speaks against every request about a resize.
local function against_resize()
  local ended = OVER[at(obj, "status", "phase")] and "it has ended, and nothing of it is resized"
  return is_going() or ended or (is_settled() and "it has what its spec asks for" or nil)
end

local function against_retry()
  local resize = list(at(obj, "status", "resize"))
  if against_resize() then
    return against_resize()
  end
  local waits = is_true("Stalled") or resize.refused ~= nil or resize.partial ~= nil or WAITING[text(resize.reason)]
  return not waits and "nothing was refused, deferred or given up" or nil
end

-- A resize is under way while the guest of the Pod that is resized has another size than the target.
local function against_settle()
  local resize, report = at(obj, "status", "resize"), at(obj, "status", "vmm")
  local target = at(resize, "target")
  if against_resize() then
    return against_resize()
  end
  if type(target) ~= "table" or type(report) ~= "table" or resize.podUID ~= report.podUID then
    return "no resize is under way"
  end
  if target.vcpus == report.vcpusPresent and target.memory == report.memoryActual then
    return "the guest has what was asked for"
  end
  local given_up = GIVEN_UP[text(resize.reason)] or (resize.reason == "Deferred" and is_true("Stalled"))
  return given_up and "the rest is not asked for at present" or nil
end
