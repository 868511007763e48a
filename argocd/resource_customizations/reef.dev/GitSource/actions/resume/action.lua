-- Ends the suspension of a GitSource.
--- include shared/object.lua
--- include shared/annotate.lua
--- include shared/suspension.lua

refuse(against_resume())
return annotate(SUSPENDED, nil)
