-- The planner: the verdict on a chain and, for each direction, its steps and the segments they run in.
--
-- A step is what a stage does in a direction. A segment is a run of steps that one loop can do: the verdict is their
-- number, and the reasons tell why there is a cut between two. Segments follow one another as a pipe: each keeps for
-- itself what a call leaves incomplete. Within a segment, any partition into loops computes the same (schedule.lua).
--
-- Steps by kind:
--	map, fold, stream     as the stage has it
--	insert, remove        a reframe's marks, put in or taken out
--	pad, unpad            at the end of the data
--	trailer, strip        a fold's value behind the data, put there, or taken off to be compared
--	head, behead          the same before it
--	recode, stuff, tap    as the stage has it; each is in a segment of its own
-- pad, unpad, trailer, strip and head do nothing until the data ends: they are in no loop. A fold's value is `asked`
-- for by the caller, or goes with the data and is `compared` where it comes in.
local chains = require "gen.chains"
local isa_table = require "gen.isa"
local state = require "gen.state"
local stream = require "gen.stream"

local M = {}

local function gcd(a, b) return b == 0 and a or gcd(b, a % b) end
function M.lcm(a, b) return a / gcd(a, b) * b end

local AT_END = { pad = true, unpad = true, trailer = true, strip = true, head = true }

-- Steps ----------------------------------------------------------------------------------------------------------

-- Why nothing else is done to the data in a loop.
local ALONE = { recode = "changes the length of units", stuff = "lengthens the data by what is in it",
	tap = "shows the data to who debugs" }

local function new_step(stage, kind, name)
	local step = { stage = stage, kind = kind, name = name or stage.name }
	step.looped = not AT_END[kind]
	-- Bytes at whose multiples the data may be cut for it.
	step.grain = (kind == "map" or kind == "fold" and not stage.anywhere) and stage.unit or 1
	step.resizes = kind == "recode" or kind == "stuff"
	step.reframes = kind == "insert" or kind == "remove" or kind == "behead"
	step.moves = kind == "map" and stage.moves
	step.changes = kind == "stream" or kind == "map" and not stage.moves or step.resizes
	step.alone = ALONE[kind]
	return step
end

-- A step that makes units of other units: `from` bytes become `to`.
local function recode(stage, send)
	local step = new_step(stage, "recode", send and stage.name or stage.name .. "_inverse")
	step.send, step.graph = send, send and stage.apply or stage.inverse
	step.from, step.to = send and stage.from or stage.to, send and stage.to or stage.from
	step.grain = step.from
	return step
end

-- What the stage does in that direction, in order.
local function steps_of(stage, at, direction)
	local send = direction == "send"
	if stage.kind == "map" then
		local step = new_step(stage, "map", (send or stage.inverse == stage.apply) and stage.name
			or stage.name .. "_inverse")
		step.graph = send and stage.apply or stage.inverse
		return { step }
	elseif stage.kind == "reframe" then
		return { new_step(stage, send and "insert" or "remove", stage.name .. (send and "" or "_remove")) }
	elseif stage.kind == "recode" then
		return { recode(stage, send) }
	elseif stage.kind == "stuff" then
		local step = new_step(stage, "stuff", stage.name .. (send and "" or "_remove"))
		step.send = send
		return { step }
	elseif stage.kind == "tap" then
		return { new_step(stage, "tap") }
	elseif stage.kind == "pad" then
		return { new_step(stage, send and "pad" or "unpad") }
	elseif stage.kind == "stream" then
		return { new_step(stage, "stream") }
	end
	local fold = new_step(stage, "fold")
	fold.asked = at == "value"
	if fold.asked then return { fold } end
	fold.compared = not send
	if send then return { fold, new_step(stage, at == "tail" and "trailer" or "head") } end
	if at == "tail" then return { new_step(stage, "strip"), fold } end
	return { new_step(stage, "behead", stage.name .. "_behead"), fold }
end

local COPY -- the step of data that no stage moves
local function moves(chain)
	for _, stage in ipairs(chain.stages) do
		if stage.moves then return true end
	end
end

-- The stage whose sum is that of the wire, if there is one: what no later stage changes.
local function wire_of(chain)
	local wire
	for k, stage in ipairs(chain.stages) do
		if chain.at[k] ~= "value" or stage.kind ~= "fold" and not stage.moves then
			wire = nil
		elseif stage.name == "inet_checksum" and stage.join and stage.size == 2 then
			wire = k
		end
	end
	return wire
end

-- The places of stages in send order. The wire's sum is of what comes out: it goes behind other folds, which may be
-- loops of their own and wait for more.
local function order_of(chain)
	local order, wire = {}, wire_of(chain)
	local last = wire or 0
	for k = last + 1, #chain.stages do last = chain.stages[k].kind == "fold" and k or last end
	for k = 1, #chain.stages do
		if k ~= wire then order[#order + 1] = k end
		if k == last then order[#order + 1] = wire end
	end
	return order
end

function M.steps(chain, direction)
	local steps, order = {}, order_of(chain)
	local first, last, by = 1, #order, 1
	if direction == "recv" then first, last, by = last, first, -1 end
	local function move()
		if not moves(chain) then steps[#steps + 1] = COPY() end
	end
	if direction == "recv" then move() end
	for place = first, last, by do
		local k = order[place]
		for _, step in ipairs(steps_of(chain.stages[k], chain.at[k], direction)) do steps[#steps + 1] = step end
	end
	if direction == "send" then move() end
	return steps
end

-- Moving the data, where no stage of the chain says when.
function COPY()
	local copy = { name = "copy", kind = "map", unit = 1, bits = 8, words = 1, moves = true, state_words = 0,
		standard = "none" }
	copy.fields = { apply = function(w) return w end, inverse = "self" }
	local w = { op = "input", name = "w" }
	copy.apply = { bits = 8, inputs = { w, { op = "input", name = "i" } }, scope = {}, results = { w } }
	copy.inverse = copy.apply
	local step = new_step(copy, "map")
	step.graph = copy.apply
	return step
end

-- Verdicts -------------------------------------------------------------------------------------------------------

-- What is known of the length of the data: that it leaves `rest` when it is divided by `of`. Returns what is known of
-- it after a step that meets it; or nil, if the step needs whole units and may not find them. before: what has put
-- something to the data.
local function length_after(step, known, before)
	local stage, of, rest = step.stage, known.of, known.rest
	-- An incomplete structure is filled up with zeros, which may be the data's, but no other stage's.
	if step.kind == "recode" and not step.graph and before and (of % step.from ~= 0 or rest % step.from ~= 0) then
		return nil
	end
	if step.kind == "map" and stage.whole and (of % stage.unit ~= 0 or rest % stage.unit ~= 0) then return nil end
	if step.kind == "pad" then return { of = stage.to, rest = 0 } end
	if step.kind == "trailer" or step.kind == "head" then return { of = of, rest = (rest + stage.size) % of } end
	if step.kind == "stuff" then return { of = 1, rest = 0 } end
	if step.kind == "recode" then return { of = step.to, rest = 0 } end
	if step.kind == "insert" then
		local both = gcd(of, stage.size)
		return { of = both, rest = rest % both }
	end
	return known
end

-- Chains that no loops can run: returns the stage concerned and the reason.
local function illegal(chain)
	local seen, copy = {}, nil
	for _, stage in ipairs(chain.stages) do
		if stage.moves then
			if copy then
				return stage, string.format("'%s' moves the data after '%s' did, expected one stage that moves; remove one",
					stage.name, copy.name)
			end
			copy = stage
		elseif seen[stage.name] then
			return stage, string.format("'%s' stands twice, expected each stage once (state and parameters go by its "
				.. "name); remove one", stage.name)
		end
		seen[stage.name] = true
		if stage.kind == "map" and not stage.inverse then
			return stage, string.format("'%s' has no inverse, expected one for ILP_RECV; describe it (%s)", stage.name,
				stage.file)
		elseif stage.ambiguous then
			return stage, string.format("the padding of '%s' cannot be taken off: %s, expected padding that tells its "
				.. "length; mend fill (%s)", stage.name, stage.ambiguous, stage.file)
		end
	end
	local known, before, changed = { of = 1, rest = 0 }, nil, nil
	for _, step in ipairs(M.steps(chain, "send")) do
		if step.stage.kept and changed then
			return step.stage, string.format("'%s' makes zeros of what memory has, but '%s' has had other bytes of it, which "
				.. "would not come back, expected it before that; put it first", step.name, changed)
		end
		if not step.moves and step.kind ~= "tap" then changed = changed or step.name end
		local after = length_after(step, known, before)
		if not after then
			return step.stage, string.format("'%s' needs whole units of %d bytes, but %s, expected padding to %d just "
				.. "before; put a stage that pads there", step.name, step.stage.unit, before and string.format(
				"'%s' leaves a length that is no multiple", before) or "the length may be any", step.stage.unit)
		end
		if after ~= known then before = step.name end
		known = after
	end
end

-- Why units of a step would not stay whole beside a frame (what puts marks in, or takes them out) in one loop; nil if
-- they do. Of the two, the one that is not in the group yet stands behind it; from: the place of the other.
local function straddle(frame, unit, group, from)
	local stage, grain = frame.stage, unit.grain
	if grain == 1 then return nil end
	-- On the side where the marks are, units must tile them, too.
	local marked = frame.kind == "insert" and frame == group[from] or frame.kind ~= "insert" and frame ~= group[from]
	if stage.every and stage.every % grain ~= 0 or marked and stage.size % grain ~= 0 then
		return string.format("units of %d bytes of '%s' straddle the %d bytes that '%s' has %s", grain, unit.name,
			stage.size, stage.name, stage.every and "at every " .. stage.every or "before the data")
	end
	if stage.align and stage.align % grain ~= 0 then
		return string.format("units of %d bytes of '%s' straddle the first mark of '%s', which may be at any multiple of %d",
			grain, unit.name, stage.name, stage.align)
	end
	-- What stands before the data has one end, where a unit begins whatever comes between.
	for k = stage.every and from + 1 or #group + 1, #group do
		local between = group[k]
		if between.reframes and between.stage.size % grain ~= 0 then
			return string.format("the %d bytes that '%s' has %s shift units of %d bytes of '%s'", between.stage.size,
				between.stage.name, between.stage.every and "at every " .. between.stage.every or "before the data", grain,
				unit.name)
		end
	end
end

-- Why step cannot join the steps of a group that is one loop; nil when it can.
local function conflict(group, step)
	for _, other in ipairs(group) do
		local alone = other.alone and not step.moves and other or step.alone and not other.moves and step
		if alone then
			return string.format("'%s' %s: '%s' is in another loop", alone.name, alone.alone,
				(alone == step and other or step).name)
		end
	end
	for _, other in ipairs(group) do
		-- What only moves the data, or follows it, does not look at what stands before it.
		if other.kind == "head" and not step.moves and step.kind ~= "pad" then
			return string.format("'%s' puts its value before data that it must have seen whole: '%s' begins when that is "
				.. "done", other.name, step.name)
		end
	end
	for k, other in ipairs(group) do
		local why = step.reframes and straddle(step, other, group, k) or other.reframes and straddle(other, step, group, k)
		if why then return why end
	end
end

-- Bytes of its input that a segment must keep until the data ends, since they may be what is taken off there.
local function hold_of(steps)
	local hold = 0
	for k = #steps, 1, -1 do
		local step, stage = steps[k], steps[k].stage
		if step.kind == "strip" then hold = hold + stage.size end
		if step.kind == "unpad" then hold = hold + stage.most end
		if step.kind == "recode" and stage.unlast and not step.send then hold = hold + step.from end
		if step.kind == "remove" and hold > 0 then hold = hold + stage.size * (math.floor(hold / stage.every) + 1) end
	end
	return hold
end

-- Bytes that the end of a segment may have in hand: what was held, and what comes to it.
local function room_at_end(segment)
	local room = segment.held + 64
	for _, step in ipairs(segment.steps) do
		if step.kind == "recode" then room = room + math.ceil(room / step.from) * math.max(step.to - step.from, 0) end
		if step.kind == "stuff" then room = room + step.stage.run end
		if step.kind == "pad" then room = room + step.stage.most end
		if step.kind == "trailer" then room = room + step.stage.size end
		if step.kind == "insert" then
			room = room + step.stage.size * (math.floor(room / step.stage.every) + 1)
		end
	end
	return room
end

-- Where the input of a segment may be cut, if what it takes out of the data shifts units so that it is not at their
-- multiples: a list of { unit, frames }, units being whole in the data that these frames leave; or nil. The last unit
-- is that of the segment, so that going back to it keeps the others whole. Frames that put something in shift
-- nothing: what they put in is whole units of what stands behind them.
local function cuts_of(steps, unit)
	local cuts, frames, shifted = { { unit = 1, frames = {} } }, {}, false
	for _, step in ipairs(steps) do
		if step.kind == "remove" or step.kind == "behead" then
			shifted = shifted or step.stage.size % unit ~= 0
			frames[#frames + 1] = step
			cuts[#cuts + 1] = { unit = 1, frames = { unpack(frames) } }
		end
		cuts[#cuts].unit = M.lcm(cuts[#cuts].unit, step.grain)
	end
	cuts[#cuts].unit = unit
	return shifted and cuts or nil
end

local function segment_of(steps, number, direction)
	local s = { steps = steps, number = number, unit = 1, looped = {}, hold = hold_of(steps) }
	local coord = 0 -- how many frames stand before
	for _, step in ipairs(steps) do
		step.coord = coord
		if step.reframes then coord = coord + 1 end
		s.unit = M.lcm(s.unit, step.grain)
		if step.looped then s.looped[#s.looped + 1] = step end
		if step.kind == "head" then s.head = step end
		-- Whether there is something to do when the data ends, even if nothing waits.
		s.at_end = s.at_end or not step.looped or step.compared or step.kind == "behead" or step.kind == "stuff"
	end
	s.cuts = cuts_of(steps, s.unit)
	-- Room for what waits: less than a unit beyond the hold, and what comes until it can run.
	s.held = (s.unit > 1 or s.hold > 0) and 2 * (s.unit + s.hold) or 0
	s.room = room_at_end(s)
	-- A checksum of the bytes as they came in: it also counts, at once, those that wait. On the way out they are counted
	-- when they are written. One that goes with the data does not: nobody asks for it before the end, which counts what
	-- waits.
	s.entry = {}
	for _, step in ipairs(direction == "recv" and number == 1 and s.held > 0 and steps or {}) do
		if step.changes or step.reframes or not step.looped then break end
		if step.asked and step.stage.join then s.entry[#s.entry + 1] = step end
	end
	return s
end

local function segments_of(steps, direction)
	local groups, reasons = { {} }, {}
	for _, step in ipairs(steps) do
		local why = conflict(groups[#groups], step)
		if why then
			reasons[#reasons + 1] = { before = step, text = why }
			groups[#groups + 1] = {}
		end
		table.insert(groups[#groups], step)
	end
	local segments = {}
	for k, group in ipairs(groups) do
		local writes
		for _, step in ipairs(group) do writes = writes or step.moves or step.changes or step.reframes end
		if not writes then table.insert(group, COPY()) end -- what only looks hands the data on, too
		segments[k] = segment_of(group, k, direction)
	end
	return segments, reasons
end

local function verdict_of(n) return n == 1 and "one loop" or n .. " loops" end

-- What is said of a chain whose description is right in itself: { verdict, reasons } of each direction, or illegal, the
-- reason, and the stage that it is about.
function M.judge(chain)
	local stage, why = illegal(chain)
	if stage then return { illegal = why, stage = stage } end
	local v = {}
	for _, direction in ipairs { "send", "recv" } do
		local segments, reasons = segments_of(M.steps(chain, direction), direction)
		v[direction] = { segments = segments, reasons = reasons, verdict = verdict_of(#segments) }
	end
	return v
end

-- Plans ----------------------------------------------------------------------------------------------------------

-- How much longer the data can become: by `fixed` bytes, and by `size` for every `every` or part of it.
local function growth(segments)
	local g = { fixed = 0, every = 0, size = 0 }
	local function grows(every, size)
		-- What came before is marked, too.
		g.every = g.every == 0 and every or math.min(g.every, every)
		g.size = g.size + size + math.ceil(g.size / every) * size
		g.fixed = g.fixed + math.ceil(g.fixed / every) * size
	end
	for _, s in ipairs(segments) do
		g.fixed = g.fixed + s.held
		for _, step in ipairs(s.steps) do
			local stage = step.stage
			if step.kind == "pad" then g.fixed = g.fixed + stage.most end
			if step.kind == "trailer" or step.kind == "head" then g.fixed = g.fixed + stage.size end
			if step.kind == "insert" then grows(stage.every, stage.size) end
			if step.kind == "recode" and step.to > step.from then grows(step.from, step.to - step.from) end
			if step.kind == "stuff" and step.send then
				g.fixed = g.fixed + stage.run -- that waited for a zero, from an earlier call
				grows(stage.run, 1)
			end
		end
	end
	return g
end

-- Kinds that leave the data as long as it is, and those that put it elsewhere.
local KEEPS = { map = true, fold = true, stream = true, tap = true }
local MOVES_ON = { reframe = true, recode = true, stuff = true }

-- The plan: { chain, folds, streams, ahead (bytes of keystream that are kept, by stream), taps, keyed (stages with
-- parameters), secret (whether some of these are secrets), quads (whether there are words of 128 bits), pair (the tag
-- of one), by_row (whether what is no loop is there for each instruction set), wire, unit, block, inplace, send = {
-- segments, reasons, verdict, unit, whole, growth }, recv = … }. Complains about a chain that is illegal, or needs
-- too much.
function M.plan(chain)
	local judged = M.judge(chain)
	if judged.illegal then chains.fail_stage(chain, judged.stage.name, "%s", judged.illegal) end
	local plan = { chain = chain, folds = {}, streams = {}, ahead = {}, keyed = {}, taps = {}, secret = false,
		quads = false, block = 1,
		inplace = chain.inplace }
	plan.keeps = true
	for k, stage in ipairs(chain.stages) do
		local at = chain.at[k]
		plan.keeps = plan.keeps and at == "value" and KEEPS[stage.kind]
		if stage.kind == "tap" then table.insert(plan.taps, stage) end
		plan.block = M.lcm(plan.block, stage.unit)
		if stage.kind == "fold" then table.insert(plan.folds, stage) end
		if stage.kind == "stream" then table.insert(plan.streams, stage) end
		if stage.begin then table.insert(plan.keyed, stage) end
		plan.pair = stage.pair and stage or plan.pair
		plan.quads = plan.quads or stage.bits == 128
		plan.secret = plan.secret or stage.begin ~= nil and not stage.fields.public
		if chain.inplace and (MOVES_ON[stage.kind] or at == "head") then
			chains.fail_stage(chain, stage.name, "'%s' changes places in the data, expected none that does where source "
				.. "and destination may be the same; remove inplace", stage.name)
		end
	end
	plan.by_row, plan.wire = plan.quads or plan.pair ~= nil, chain.stages[wire_of(chain)]
	local unit = 1 -- the largest of a loop
	for _, direction in ipairs { "send", "recv" } do
		local way = judged[direction]
		way.direction, way.unit = direction, way.segments[1].unit
		for _, s in ipairs(way.segments) do
			way.whole = way.whole or s.head ~= nil
			unit = math.max(unit, s.unit)
			s.piped, s.secret = #way.segments > 1, plan.secret
		end
		way.growth = growth(way.segments)
		plan[direction] = way
	end
	for _, stage in ipairs(plan.streams) do
		local ordered = false
		for _, fold in ipairs(plan.folds) do ordered = ordered or not fold.join end
		plan.ahead[stage] = stream.room(stage, isa_table.rows(plan.quads),
			ordered and #plan.streams == 1 and stream.turns(stage), unit)
	end
	plan.unit = math.max(plan.send.unit, plan.recv.unit)
	plan.verdict = plan.send.verdict == plan.recv.verdict and plan.send.verdict
		or plan.send.verdict .. " out, " .. plan.recv.verdict .. " in"
	state.check(plan)
	return plan
end

return M
