-- The actions on a VirtualMachine, and which of them make sense at present.
--- include shared/object.lua
--- include shared/suspension.lua
--- include cloudhypervisor.quill.today/VirtualMachine/actions/against.lua

return {
  restart = { disabled = against_restart() ~= nil, iconClass = "fa fa-fw fa-redo" },
  retry = { disabled = against_retry() ~= nil, iconClass = "fa fa-fw fa-sync" },
  settle = { disabled = against_settle() ~= nil, iconClass = "fa fa-fw fa-check" },
  suspend = {
    disabled = against_suspend() ~= nil,
    iconClass = "fa fa-fw fa-pause-circle",
    params = { { name = "reason" }, { name = "for" } },
  },
  resume = { disabled = against_resume() ~= nil, iconClass = "fa fa-fw fa-play-circle" },
}
