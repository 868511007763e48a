-- What Argo CD calls an object of Reef's, by its conditions. A kind names the reasons whose word does not follow from the conditions alone:
-- `degraded` stay until somebody does something, though Reef goes on trying; `suspended` wait for somebody who has decided so.
-- Argo CD answers by itself for an object that is being deleted.

local function called(status, message)
  return { status = status, message = message }
end

local function told(found)
  local reason, message = text(at(found, "reason")), text(at(found, "message"))
  if reason == "" or message == "" then
    return reason .. message
  end
  return reason .. ": " .. message
end

local function with_hint(found, more)
  local hint = hints[text(at(found, "reason"))]
  return told(found) .. (hint and ". Next: " .. hint or "") .. text(more)
end

local function unseen(ready, generation)
  if ready == nil then
    local phase = text(at(obj, "status", "phase"))
    return "no controller of Reef has told how it is" .. (phase ~= "" and "; its phase is " .. phase or "")
  end
  local about = type(ready.observedGeneration) == "number" and tostring(ready.observedGeneration) or "none"
  return "generation " .. tostring(generation) .. " has not been looked at yet; about generation " .. about .. " it was " .. told(ready)
end

local function health(kind)
  local ready, generation = condition("Ready"), at(obj, "metadata", "generation")
  if ready == nil or type(generation) ~= "number" or ready.observedGeneration ~= generation then
    return called("Progressing", unseen(ready, generation))
  end
  if ready.status == "True" then
    return called("Healthy", told(ready))
  end
  if ready.status ~= "False" then
    return called("Progressing", told(ready))
  end
  local stalled, reason = is_true("Stalled"), text(ready.reason)
  if kind.suspended[reason] and not kind.ended then
    return called("Suspended", with_hint(ready, kind.more))
  end
  if stalled then
    return called("Degraded", with_hint(condition("Stalled"), kind.more))
  end
  if kind.degraded[reason] then
    return called("Degraded", with_hint(ready, kind.more))
  end
  if is_true("Reconciling") then
    return called("Progressing", told(ready))
  end
  if is_true("Suspended") then
    return called("Suspended", with_hint(ready, kind.more))
  end
  -- It is not on its way, and it is not as it should be.
  return called("Degraded", with_hint(ready, kind.more))
end
