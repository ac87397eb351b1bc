-- Files that the generator writes: whole or not at all, and untouched when nothing would change, so that make does
-- not build again what is the same.
local M = {}

local ENOENT, EISDIR = 2, 21

-- The content of a file; or nil, and why it can be no file.
local function read(path)
	local handle = io.open(path, "rb")
	if not handle then return nil end
	local content, problem, errno = handle:read("*a")
	handle:close()
	return content, errno == EISDIR and path .. ": " .. problem or nil
end

-- Writes content under another name beside path. Returns that name; or nil and a message.
local function prepare(path, content)
	local temporary = path .. ".new"
	local handle, problem, errno = io.open(temporary, "wb")
	if not handle then
		local folder = path:match("^(.*)/") or "."
		return nil, problem .. (errno == ENOENT and "; make the folder first: mkdir -p " .. folder or "")
	end
	local ok = handle:write(content)
	ok = handle:close() and ok
	if ok then return temporary end
	os.remove(temporary)
	return nil, temporary .. ": could not be written whole; is the disk full?"
end

-- outputs: { { path =, content = }, … }. All of them, or none: names are changed when all are written. Returns nil
-- and a message when one cannot be written.
function M.write(outputs)
	local ready = {} -- { from =, to = }
	local function fail(problem)
		for _, one in ipairs(ready) do os.remove(one.from) end
		return nil, problem
	end
	for _, out in ipairs(outputs) do
		local content, problem = read(out.path)
		if problem then return fail(problem) end
		if content ~= out.content then
			local temporary
			temporary, problem = prepare(out.path, out.content)
			if not temporary then return fail(problem) end
			ready[#ready + 1] = { from = temporary, to = out.path }
		end
	end
	for _, one in ipairs(ready) do
		local done, problem = os.rename(one.from, one.to)
		if not done then return fail(problem) end
	end
	return true
end

return M
