-- All operators: { name, why, sites = function(region, add) }; sites calls add with the edits of each mutant. `secrets`
-- marks those whose mutants only a test of secrets can kill.
local M = { list = {}, by_name = {} }

for _, file in ipairs { "loops", "values", "words", "statements", "memory" } do
	for _, operator in ipairs(require("mutate.operators." .. file).list) do
		M.list[#M.list + 1] = operator
		M.by_name[operator.name] = operator
	end
end

return M
