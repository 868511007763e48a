-- The actions on a GitSource, and which of them make sense at present.
--- include shared/object.lua
--- include shared/suspension.lua

return {
  reconcile = { disabled = is_going() ~= nil, iconClass = "fa fa-fw fa-sync" },
  suspend = {
    disabled = against_suspend() ~= nil,
    iconClass = "fa fa-fw fa-pause-circle",
    params = { { name = "reason" }, { name = "for" } },
  },
  resume = { disabled = against_resume() ~= nil, iconClass = "fa fa-fw fa-play-circle" },
}
