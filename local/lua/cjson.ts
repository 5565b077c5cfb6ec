/**
 * Lua: a module `cjson.safe` (lua-cjson of OpenResty, as far as the handler uses it). It takes and refuses what that
 * does: its answers were compared with those of OpenResty's own.
 *
 * @example local cjson = chunk(null) // the userdata that stands for JSON's null
 */
export const CJSON = String.raw`
local null = ...
local array_mt = {}
local MAX_DEPTH = 1000

-- One kind of number, as LuaJIT has it: an integer of Lua 5.4 where it is one exactly.
local function number_of(text)
	local value = tonumber(text)
	if value == 0 then return text:sub(1, 1) == "-" and -0.0 or 0 end
	if value ~= value or not math.tointeger then return value end
	if value >= -2^53 and value <= 2^53 then return math.tointeger(value) or value end
	return value + 0.0
end

local ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8_of(code)
	local char, floor = string.char, math.floor
	if code < 0x80 then return char(code) end
	if code < 0x800 then return char(0xc0 + floor(code / 64), 0x80 + code % 64) end
	if code < 0x10000 then
		return char(0xe0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
	end
	return char(0xf0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

-- What strtod reads of the number at a place: where it ends, and its value.
local function read_number(json, at, takes_invalid)
	local sign, rest = json:match("^([+-]?)()", at)
	if not takes_invalid and (sign == "+" or json:find("^0[xX0-9]", rest) or json:find("^%a", rest)) then return end
	local hex = json:match("^0[xX]%x+()", rest)
	if hex then
		local value = tonumber(json:sub(rest, hex - 1))
		return hex, number_of(("%s%.0f"):format(sign, value))
	end
	local word = json:sub(rest, rest + 7):lower()
	local infinite = word == "infinity" and 8 or word:sub(1, 3) == "inf" and 3
	if infinite then return rest + infinite, sign == "-" and -math.huge or math.huge end
	if word:sub(1, 3) == "nan" then return rest + 3, 0 / 0 end
	local ending = json:match("^%d+%.?%d*()", rest) or json:match("^%.%d+()", rest)
	if not ending then return end
	ending = json:match("^[eE][+-]?%d+()", ending) or ending
	return ending, number_of((json:sub(at, ending - 1):gsub("^%+", "")))
end

local function decode(json, options)
	local at = 1
	local value

	local function fail(what) error({ json = "Expected " .. what .. " at character " .. at }, 0) end
	local function skip() at = json:match("^[ \t\n\r]*()", at) end

	local function read_string()
		local parts = {}
		at = at + 1
		while true do
			local plain, stop = json:match('^([^"\\%z]*)()', at)
			parts[#parts + 1] = plain
			at = stop
			local character = json:sub(at, at)
			if character == '"' then
				at = at + 1
				return table.concat(parts)
			end
			if character ~= "\\" then fail("value but found unexpected end of string") end
			local kind = json:sub(at + 1, at + 1)
			if kind == "u" then
				local code = tonumber(json:match("^%x%x%x%x", at + 2) or "", 16)
				if not code then fail("value but found invalid unicode escape code") end
				at = at + 6
				if options.bytes then
					parts[#parts + 1] = string.char(code)
				else
					if code >= 0xd800 and code <= 0xdfff then
						local low = code < 0xdc00 and tonumber(json:match("^\\u(%x%x%x%x)", at) or "", 16)
						if not low or low < 0xdc00 or low > 0xdfff then
							fail("value but found invalid unicode escape code")
						end
						at = at + 6
						code = 0x10000 + (code - 0xd800) * 1024 + low - 0xdc00
					end
					parts[#parts + 1] = utf8_of(code)
				end
			else
				local escaped = ESCAPES[kind]
				if not escaped then fail("value but found invalid escape code") end
				parts[#parts + 1] = escaped
				at = at + 2
			end
		end
	end

	local function read_list(depth)
		local list = options.array_with_mt and setmetatable({}, array_mt) or {}
		at = at + 1
		skip()
		if json:sub(at, at) == "]" then
			at = at + 1
			return list
		end
		local count = 0
		while true do
			count = count + 1
			list[count] = value(depth)
			skip()
			local next = json:sub(at, at)
			if next == "]" then
				at = at + 1
				return list
			end
			if next ~= "," then fail("comma or array end") end
			at = at + 1
		end
	end

	local function read_object(depth)
		local object = {}
		at = at + 1
		skip()
		if json:sub(at, at) == "}" then
			at = at + 1
			return object
		end
		while true do
			skip()
			if json:sub(at, at) ~= '"' then fail("object key string") end
			local name = read_string()
			skip()
			if json:sub(at, at) ~= ":" then fail("colon") end
			at = at + 1
			object[name] = value(depth)
			skip()
			local next = json:sub(at, at)
			if next == "}" then
				at = at + 1
				return object
			end
			if next ~= "," then fail("comma or object end") end
			at = at + 1
		end
	end

	function value(depth)
		skip()
		local first = json:sub(at, at)
		if first == '"' then return read_string() end
		if first == "{" or first == "[" then
			if depth >= MAX_DEPTH then fail("less, found too many nested data structures") end
			if first == "[" then return read_list(depth + 1) end
			return read_object(depth + 1)
		end
		for word, meaning in pairs({ ["true"] = true, ["false"] = false, null = null }) do
			if json:sub(at, at + #word - 1) == word then
				at = at + #word
				return meaning
			end
		end
		if not first:find("^[%d+iInN-]") then fail("value but found invalid token") end
		local ending, number = read_number(json, at, options.invalid_numbers)
		if not ending then fail("value but found invalid number") end
		at = ending
		return number
	end

	if #json >= 2 and (json:byte(1) == 0 or json:byte(2) == 0) then
		error({ json = "JSON parser does not support UTF-16 or UTF-32" }, 0)
	end
	local result = value(0)
	skip()
	if at <= #json then fail("the end") end
	return result
end

local SHORT = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function encode(value, options)
	local parts = {}
	local function fail(what) error({ json = "Cannot serialise " .. what }, 0) end

	local function escaped(character)
		return SHORT[character] or (character == "/" and "\\/") or ("\\u%04x"):format(character:byte())
	end
	local special = '[%z\1-\31"\\\127' .. (options.escape_slash and "/" or "") .. (options.bytes and "\128-\255" or "") .. "]"

	local function number(value)
		if value ~= value or value == math.huge or value == -math.huge then fail("number: must not be NaN or Infinity") end
		return ("%." .. options.precision .. "g"):format(value)
	end

	-- How long the list is that a table may be; nil when it has other keys.
	local function length(value)
		if getmetatable(value) == array_mt then return #value, true end
		local max, items = 0, 0
		for key in pairs(value) do
			if type(key) ~= "number" or key <= 0 or key % 1 ~= 0 then return nil end
			max = math.max(max, key)
			items = items + 1
		end
		if max > items * 2 and max > 10 then fail("table: excessively sparse array") end
		return max > 0 and max or nil
	end

	local function append(value, depth)
		local kind = type(value)
		if kind == "string" then
			parts[#parts + 1] = '"' .. value:gsub(special, escaped) .. '"'
		elseif kind == "number" then
			parts[#parts + 1] = number(value)
		elseif kind == "boolean" then
			parts[#parts + 1] = tostring(value)
		elseif value == nil or value == null then
			parts[#parts + 1] = "null"
		elseif kind == "table" then
			if depth >= MAX_DEPTH then fail("excessive nesting") end
			local count = length(value)
			if count then
				parts[#parts + 1] = "["
				for index = 1, count do
					if index > 1 then parts[#parts + 1] = "," end
					append(value[index], depth + 1)
				end
				parts[#parts + 1] = "]"
			else
				local comma = ""
				parts[#parts + 1] = "{"
				for name, member in pairs(value) do
					if type(name) == "number" then
						name = number(name)
					elseif type(name) ~= "string" then
						fail("table key must be a number or string")
					end
					parts[#parts + 1] = comma .. '"' .. name:gsub(special, escaped) .. '":'
					append(member, depth + 1)
					comma = ","
				end
				parts[#parts + 1] = "}"
			end
		else
			fail(kind .. ": type not supported")
		end
	end
	append(value, 0)
	return table.concat(parts)
end

-- A failure is a second result.
local function safe(run)
	local is_done, result = pcall(run)
	if is_done then return result end
	if type(result) ~= "table" then error(result, 0) end
	return nil, result.json
end

local function create()
	local options = { precision = 14, escape_slash = true, invalid_numbers = true }
	local function setter(name)
		return function(value) options[name] = value end
	end
	return {
		null = null,
		array_mt = array_mt,
		new = create,
		decode = function(json) return safe(function() return decode(json, options) end) end,
		encode = function(value) return safe(function() return encode(value, options) end) end,
		decode_array_with_array_mt = setter("array_with_mt"),
		decode_invalid_numbers = setter("invalid_numbers"),
		encode_escape_forward_slash = setter("escape_slash"),
		encode_number_precision = setter("precision"),
		-- Not of lua-cjson: each character from U+0080 to U+00FF is a byte, so that bytes pass through text.
		carry_bytes = setter("bytes"),
	}
end
return create()
`;
