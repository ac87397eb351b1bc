std = "luajit"
max_line_length = false -- tools/lint.sh looks at every file's
ignore = {"212"} -- an unused argument: interfaces have them
-- Descriptions are run in a sandbox (ilp/gen/sandbox.lua) that gives them their words, and tells of wrong ones itself.
files["ilp/stages"] = {ignore = {"113"}}
files["ilp/chains"] = {ignore = {"113"}}
