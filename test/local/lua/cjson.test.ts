/** The stand-in for lua-cjson reads and writes what OpenResty 1.27's own did, where these were recorded. */
import { LuaFactory } from "wasmoon";
import { CJSON } from "../../../local/lua/cjson";

/** Decodes, and encodes what came of it; undefined for a failure of either. */
let roundTrip: (json: string) => string | undefined;

beforeAll(async () => {
	const lua = await new LuaFactory().createEngine({ enableProxy: false });
	lua.global.set("source", CJSON);
	roundTrip = lua.doStringSync(`
		local null = io.stdout
		local cjson = assert(load(source))(null).new()
		cjson.decode_array_with_array_mt(true)
		cjson.encode_escape_forward_slash(false)
		cjson.encode_number_precision(16)
		return function(json)
			local value, failure = cjson.decode(json)
			if failure then return nil end
			return (cjson.encode(value))
		end`);
});

test.each([
	["[]", "[]"],
	["{}", "{}"],
	["[[1],[]]", "[[1],[]]"],
	["[1,null]", "[1,null]"],
	['{"a":[]}', '{"a":[]}'],
	['{"a":null}', '{"a":null}'],
	['{"a":1,"a":2}', '{"a":2}'],
	['{"1":1}', '{"1":1}'],
	[" 1 ", "1"],
	["-0", "-0"],
	["3.0", "3"],
	["1e5", "100000"],
	["1e15", "1000000000000000"],
	["1e16", "1e+16"],
	["0.1", "0.1"],
	["1e-7", "1e-07"],
	["0.30000000000000004", "0.3"],
	["123456789012345.678", "123456789012345.7"],
	["9007199254740993", "9007199254740992"],
	["12345678901234567890", "1.234567890123457e+19"],
	['"\\u00e9/\\ud83d\\ude00\\u0000"', '"é/😀\\u0000"'],
	['"\u007f"', '"\\u007f"'],
	// What JSON does not have, and lua-cjson takes.
	["0123", "123"],
	["+1", "1"],
	["1.", "1"],
	["-.5", "-0.5"],
	["0x1F", "31"],
	['"\t"', '"\\t"'],
])("%s becomes %s", (json, written) => {
	expect(roundTrip(json)).toBe(written);
});

test.each([
	"",
	"1e400",
	"nan",
	"-",
	".5",
	"1e",
	"1 2",
	"TRUE",
	"nulll",
	"[1,]",
	'{"a":1,}',
	"{a:1}",
	"'a'",
	'"\\ud800"',
	'"\\udc00"',
	'"\\ud83d\\u0041"',
	'"\\a"',
	'"abc',
	"\uFEFF1",
	"/*x*/1",
	`${"[".repeat(1001)}${"]".repeat(1001)}`,
])("%s is none, or cannot be written", (json) => {
	expect(roundTrip(json) ?? undefined).toBeUndefined();
});

test("lists are read a thousand deep", () => {
	const deep = `${"[".repeat(1000)}${"]".repeat(1000)}`;
	expect(roundTrip(deep)).toBe(deep);
});
