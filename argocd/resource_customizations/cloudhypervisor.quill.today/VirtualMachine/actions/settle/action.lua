-- Asks to make do with what the guest has, and to give the rest up.
--- include shared/object.lua
--- include shared/annotate.lua
--- include shared/suspension.lua
--- include cloudhypervisor.quill.today/VirtualMachine/actions/against.lua
--- include shared/time.lua

refuse(against_settle())
return annotate("reef.dev/settle-requested-at", now())
