-- Files that the generator writes: whole or not at all, and untouched when nothing would change, so that make does
-- not build again what is the same.
local M = {}

local ENOENT = 2

local function read(path)
	local handle = io.open(path, "rb")
	if not handle then return nil end
	local content = handle:read("*a")
	handle:close()
	return content
end

-- outputs: { { path =, content = }, … }. Returns nil and a message when one cannot be written.
function M.write(outputs)
	for _, out in ipairs(outputs) do
		if read(out.path) ~= out.content then
			local temporary = out.path .. ".new"
			local handle, problem, errno = io.open(temporary, "wb")
			if not handle then
				local folder = out.path:match("^(.*)/") or "."
				return nil, problem .. (errno == ENOENT and "; make the folder first: mkdir -p " .. folder or "")
			end
			local ok = handle:write(out.content)
			ok = handle:close() and ok
			if not ok then
				os.remove(temporary)
				return nil, temporary .. ": could not be written whole; is the disk full?"
			end
			local done
			done, problem = os.rename(temporary, out.path)
			if not done then return nil, problem end
		end
	end
	return true
end

return M
