-- Asks to read the repository now.
--- include shared/object.lua
--- include shared/annotate.lua
--- include shared/suspension.lua
--- include shared/time.lua

refuse(is_going())
return annotate("reconcile.reef.dev/requestedAt", now())
