-- Health of a VirtualMachine.
--- include shared/object.lua
--- include shared/suspension.lua
--- include cloudhypervisor.quill.today/VirtualMachine/actions/against.lua
--- include shared/hints.lua
--- include shared/health.lua

local DEGRADED = {
  BootFailed = true,
  VmmUnreachable = true,
  NodeLost = true,
  PodConflict = true,
}
local SUSPENDED_BY = {
  Suspended = true,
  RestartRequired = true,
  Paused = true,
}
local BY_RESTART = { RestartRequired = true, Infeasible = true, VmmRefused = true }

-- The actions that help where it stands.
local function actions()
  local offered = {}
  if BY_RESTART[text(at(condition("Ready"), "reason"))] and not against_restart() then
    offered[#offered + 1] = "restart"
  end
  if not against_retry() then
    offered[#offered + 1] = "retry"
  end
  if not against_settle() then
    offered[#offered + 1] = "settle"
  end
  return #offered > 0 and ". Actions: " .. table.concat(offered, ", ") or ""
end

return health({
  degraded = DEGRADED,
  suspended = SUSPENDED_BY,
  -- A VM that is at its end says so, whoever has suspended it.
  ended = is_true("Stalled") and OVER[at(obj, "status", "phase")],
  more = actions(),
})
