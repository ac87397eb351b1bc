-- Where an operator can be applied, and the text that it makes. A site: { operator, region, edits, line, key }; an edit
-- replaces bytes from … to of the file's text, and they are in its order. key is the same as long as the region's
-- C is: operator, region's name, number of the site among those.
local secrets = require "mutate.secrets"
local flow = require "mutate.flow"

local M = {}

function M.text(r, from, to)
	return r.text:sub(r.tokens[from].from, r.tokens[to].to)
end

-- Edits: tokens from … to become a text; a text is put after, or before, token k.
function M.replace(r, from, to, text)
	return { from = r.tokens[from].from, to = r.tokens[to].to, text = text, line = r.tokens[from].line, token = from }
end

function M.after(r, k, text)
	return { from = r.tokens[k].to + 1, to = r.tokens[k].to, text = text, line = r.tokens[k].line, token = k }
end

function M.before(r, k, text)
	return { from = r.tokens[k].from, to = r.tokens[k].from - 1, text = text, line = r.tokens[k].line, token = k }
end

-- Two ranges of tokens exchanged.
function M.exchange(r, a, b)
	return M.replace(r, a[1], a[2], M.text(r, b[1], b[2])), M.replace(r, b[1], b[2], M.text(r, a[1], a[2]))
end

-- The text with the site's edits done.
function M.apply(site)
	local text, parts, at = site.region.text, {}, 1
	for _, e in ipairs(site.edits) do
		parts[#parts + 1] = text:sub(at, e.from - 1)
		parts[#parts + 1] = e.text
		at = e.to + 1
	end
	parts[#parts + 1] = text:sub(at)
	return table.concat(parts)
end

local function line_start(text, at)
	while at > 1 and text:sub(at - 1, at - 1) ~= "\n" do at = at - 1 end
	return at
end

local function tidy(text) return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")) end

-- The lines that the site changes, before and after, white space being one blank.
function M.show(site)
	local text = site.region.text
	local from, to = math.huge, 0
	for _, e in ipairs(site.edits) do
		from, to = math.min(from, e.from), math.max(to, e.to, e.from)
	end
	from = line_start(text, from)
	to = (text:find("\n", to, true) or #text + 1) - 1
	local after = M.apply(site)
	return tidy(text:sub(from, to)), tidy(after:sub(from, to + #after - #text))
end

-- All sites of these operators in these regions, each operator's in the order of the text. What only wipes secrets is
-- for operators of secrets; what makes no difference but of speed is for none.
function M.all(regions, operators)
	local list = {}
	for _, operator in ipairs(operators) do
		for _, r in ipairs(regions) do
			local n = 0
			operator.sites(r, function(...)
				local edits, line, secret, indifferent = { ... }, math.huge, true, true
				for _, e in ipairs(edits) do
					line = math.min(line, e.line)
					secret = secret and secrets.is_secret(r, e.token)
					indifferent = indifferent and flow.is_indifferent(r, e.token)
				end
				if indifferent or secret ~= (operator.secrets or false) then return end
				n = n + 1
				list[#list + 1] = { operator = operator, region = r, edits = edits, line = line,
					key = string.format("%s:%s:%d", operator.name, r.name, n) }
			end)
		end
	end
	return list
end

return M
