std = "luajit"
max_line_length = false -- tools/lint.sh looks at every file's
ignore = {"212"} -- an unused argument: interfaces have them
-- Descriptions are run in a sandbox (ilp/gen/sandbox.lua) that gives them their words, and tells of wrong ones itself.
for _, folder in ipairs {"ilp/stages", "ilp/chains", "tests/ilp/stages", "tests/ilp/chains", "alf/profiles"} do
	files[folder] = {ignore = {"113"}}
end
