/**
 * Lua: what the handler finds in Kong, and nothing else. Kong's sandbox for streamed plugins has these names
 * (docs/in-process.md); a name that it does not have is an error here, be it read only.
 *
 * @example local load_handler = chunk(chunk_of_handler, host, null, cjson)
 */
export const PRELUDE = `
local handler_chunk, host, null, cjson = ...

-- ## Functions of the host

local wire = cjson.new()
wire.decode_array_with_array_mt(true)
wire.encode_escape_forward_slash(false)
wire.encode_number_precision(17)
wire.carry_bytes(true)

local function pack(...) return { n = select("#", ...), ... } end

local function call_host(name, ...)
	local given = pack(...)
	local arguments = setmetatable({}, cjson.array_mt)
	for index = 1, given.n do
		arguments[index] = given[index] == nil and null or given[index]
	end
	local answer = wire.decode(host(name, wire.encode(arguments)))
	if answer.error then error(answer.error, 0) end
	return answer.value
end

-- A failure is a second result, as in lua-resty-openssl.
local function try_host(...)
	local is_done, result = pcall(call_host, ...)
	if is_done then return result end
	return nil, tostring(result)
end

-- ## Modules

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

local function encoder(last, padding)
	local alphabet = ALPHABET .. last
	local function at(index) return alphabet:sub(index + 1, index + 1) end
	return function(bytes)
		return (bytes:gsub("..?.?", function(group)
			local first, second, third = group:byte(1, 3)
			local number = first * 65536 + (second or 0) * 256 + (third or 0)
			return at(math.floor(number / 262144))
				.. at(math.floor(number / 4096) % 64)
				.. (second and at(math.floor(number / 64) % 64) or padding)
				.. (third and at(number % 64) or padding)
		end))
	end
end

local encode_base64 = encoder("+/", "=")

-- As ngx_decode_base64url: what comes behind a "=" is not looked at.
local function decode_base64url(text)
	local plain = text:match("^[^=]*")
	if plain:find("[^A-Za-z0-9_-]") or #plain % 4 == 1 then return nil end
	return (plain:gsub("..?.?.?", function(group)
		local number = 0
		for index = 1, 4 do
			local character = group:sub(index, index)
			local value = character ~= "" and (ALPHABET .. "-_"):find(character, 1, true) - 1 or 0
			number = number * 64 + value
		end
		local bytes = string.char(math.floor(number / 65536), math.floor(number / 256) % 256, number % 256)
		return bytes:sub(1, #group - 1)
	end))
end

local function now() return call_host("now") end

local lrucache = {}

function lrucache.new(size)
	local kept, count, clock = {}, 0, 0
	local function forget(key)
		kept[key] = nil
		count = count - 1
	end
	local function forget_oldest()
		local oldest
		for key, entry in pairs(kept) do
			if not oldest or entry.used < kept[oldest].used then oldest = key end
		end
		forget(oldest)
	end
	local function use(entry)
		clock = clock + 1
		entry.used = clock
		return entry
	end
	return {
		get = function(_, key)
			local entry = kept[key]
			if not entry then return nil end
			if entry.until_when and entry.until_when < now() then return nil, entry.value end
			return use(entry).value
		end,
		set = function(_, key, value, seconds)
			if not kept[key] then
				if count >= size then forget_oldest() end
				count = count + 1
			end
			kept[key] = use({ value = value, until_when = seconds and now() + seconds })
		end,
		delete = function(_, key)
			if kept[key] then forget(key) end
		end,
	}
end

local pkey = {}

function pkey.new(jwk, options)
	assert(options and options.format == "JWK", "the stand-in reads JWK only")
	local is_key, failure = try_host("key", jwk)
	if not is_key then return nil, failure end
	return {
		sign = function(_, ...) return try_host("sign", jwk, ...) end,
		verify = function(_, signature, ...) return try_host("verify", jwk, signature, ...) end,
	}
end

local hmac = {}

function hmac.new(key, digest)
	return { final = function(_, text) return try_host("hmac", key, digest, text) end }
end

local x509 = {}

local function each(list, first, second)
	return {
		each = function()
			local index = 0
			return function()
				index = index + 1
				local entry = list[index]
				if entry then return entry[first], second and entry[second] or entry end
			end
		end,
	}
end

function x509.new(pem, format)
	assert(format == "PEM", "the stand-in reads PEM only")
	local read, failure = try_host("certificate", pem)
	if not read then return nil, failure end
	return {
		get_subject_name = function() return each(read.subject, "sn") end,
		get_issuer_name = function() return each(read.issuer, "sn") end,
		get_subject_alt_name = function() return each(read.names, "type", "value") end,
		get_serial_number = function()
			return { to_hex = function() return read.serial end }
		end,
		get_not_after = function() return read.not_after end,
		digest = function(_, name)
			assert(name == "sha256", "the stand-in knows SHA-256 only")
			return try_host("sha256", read.der)
		end,
		tostring = function() return read.der end,
	}
end

local function sha256()
	local text = ""
	return {
		update = function(_, more) text = text .. more end,
		final = function() return call_host("sha256", text) end,
	}
end

local MODULES = {
	cjson = false, ["cjson.safe"] = cjson,
	["ngx.base64"] = { encode_base64url = encoder("-_", ""), decode_base64url = decode_base64url },
	["resty.lrucache"] = lrucache, ["resty.lrucache.pureffi"] = false,
	["resty.sha256"] = { new = sha256 },
	["resty.openssl.pkey"] = pkey, ["resty.openssl.hmac"] = hmac, ["resty.openssl.x509"] = x509,
	["kong.tools.uuid"] = { uuid = function() return call_host("uuid") end },
}

-- ## What Kong's sandbox has; of what the stand-in does not have, the name only.

local ALSO_IN_KONG = {
	module = "kong.tools.cjson kong.tools.gzip kong.tools.ip kong.tools.rand kong.tools.sha256 kong.tools.string "
		.. "kong.tools.table kong.tools.time kong.tools.timestamp kong.tools.uri kong.tools.yield resty.aes resty.lock "
		.. "resty.md5 resty.random resty.sha512 resty.string resty.http resty.jwt resty.openssl resty.openssl.bn "
		.. "resty.openssl.cipher resty.openssl.digest resty.openssl.kdf resty.openssl.mac resty.openssl.pkcs12 "
		.. "resty.openssl.objects resty.openssl.rand resty.openssl.version string.buffer table.clear table.clone "
		.. "table.isarray table.isempty table.new table.nkeys tablepool pl.stringx pl.tablex socket.url",
	kong = "cache node ip table tracing version vault",
	ngx = "arg header re req decode_base64 time worker null",
}

local function lacking(where, names)
	local list = {}
	for name in names:gmatch("%S+") do
		list[name] = function() error("the stand-in for Kong has no " .. where .. " " .. name, 2) end
	end
	return list
end

-- Reading a name that Kong's sandbox does not have is an error, so that it shows whatever is done with it.
local function strict(where, members)
	return setmetatable(members, {
		__index = function(_, name)
			call_host("forbidden", where .. "." .. tostring(name))
			error("Kong's sandbox has no " .. where .. "." .. tostring(name), 2)
		end,
	})
end

local function some_of(where, library, names)
	local picked = {}
	for name in names:gmatch("%S+") do
		picked[name] = library[name] or function() error("the stand-in for Kong has no " .. where .. "." .. name, 2) end
	end
	return strict(where, picked)
end

-- ## Kong and nginx of the request at hand

local function pdk(method)
	return function(...) return call_host("pdk", method, ...) end
end

local function group(where, names)
	local members = {}
	for name in names:gmatch("%S+") do
		members[name] = pdk(where .. "." .. name)
	end
	return strict(where, members)
end

local function looked_up(method)
	return setmetatable({}, { __index = function(_, name) return call_host("pdk", method, name) end })
end

local client = group("kong.client", "get_credential get_consumer get_forwarded_ip get_ip get_port get_protocol")
local response = group("kong.response", "set_header add_header clear_header get_status get_header set_status")
local EXIT = {}

-- Does not return: what called it is left as it is.
function response.exit(...)
	call_host("pdk", "kong.response.exit", ...)
	coroutine.yield(EXIT)
end

local kong = lacking("kong", ALSO_IN_KONG.kong)
kong.client = client
kong.response = response
kong.request = group(
	"kong.request",
	"get_forwarded_scheme get_forwarded_host get_forwarded_port get_header get_headers get_method get_path get_raw_path "
		.. "get_query get_query_arg get_raw_body get_http_version get_scheme get_host get_port"
)
kong.router = group("kong.router", "get_route get_service")
kong.service = strict("kong.service", {
	request = group("kong.service.request", "set_header add_header clear_header set_headers"),
})
kong.log = group("kong.log", "debug info notice warn err crit set_serialize_value")
kong.ctx = strict("kong.ctx", { shared = looked_up("kong.ctx.shared.get"), plugin = {} })
kong.nginx = strict("kong.nginx", { get_subsystem = function() return "http" end })

local ngx = lacking("ngx", ALSO_IN_KONG.ngx)
ngx.var = looked_up("kong.nginx.get_var")
ngx.ctx = looked_up("kong.nginx.get_ctx")
ngx.encode_base64 = encode_base64
ngx.now = now
ngx.null = null

-- ## The handler's globals

local env = lacking("module", "bit")
for name in ("assert error ipairs next pairs pcall print select type xpcall"):gmatch("%S+") do
	env[name] = _G[name]
end
env.unpack = unpack or table.unpack
-- All numbers are as LuaJIT writes them.
env.tostring = function(value) return type(value) == "number" and ("%.14g"):format(value) or tostring(value) end
env.tonumber = function(value, base)
	local number
	if base then number = tonumber(value, base) else number = tonumber(value) end
	return number and math.type and math.type(number) == "integer" and (number > 2^53 or number < -2^53) and number + 0.0
		or number
end
env.math = some_of("math", math,
	"abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow rad sin sinh "
		.. "sqrt tan tanh")
env.math.random = function() return call_host("random") end
env.string = some_of("string", string, "byte char find format gmatch gsub len lower match rep reverse sub upper")
env.table = some_of("table", table, "clear clone concat insert isarray isempty maxn move new nkeys pack remove sort")
env.table.unpack = env.unpack
env.os = some_of("os", os, "clock date difftime time")
env.coroutine = some_of("coroutine", coroutine, "create resume running status wrap yield")
env.bit = strict("bit", {})
env.kong = strict("kong", kong)
env.ngx = strict("ngx", ngx)

local also = lacking("module", ALSO_IN_KONG.module)
function env.require(name)
	local module = MODULES[name] or also[name]
	if module then return type(module) == "table" and module or module() end
	call_host("forbidden", "require " .. tostring(name))
	error("Kong's sandbox has no module " .. tostring(name), 2)
end
strict("_G", env)

if setfenv then setfenv(handler_chunk, env) else debug.setupvalue(handler_chunk, 1, env) end
local handler = handler_chunk()

-- Makes a plugin entry of its configuration, in JSON: a function that runs the access phase of a request.
local function entry(json)
	local conf = assert(wire.decode(json))
	return function()
		local phase = coroutine.create(function() handler:access(conf) end)
		local is_done, result = coroutine.resume(phase)
		if not is_done then return "raised: " .. tostring(result) end
		return result == EXIT and "exited" or "done"
	end
end

return { entry = entry, priority = handler.PRIORITY, version = handler.VERSION }
`;
