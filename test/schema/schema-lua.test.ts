import { spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { LuaFactory } from "wasmoon";
import { isRefusal } from "../../core/refusals";
import { testKey } from "../../local/demo/flows";
import {
	type ConfigField,
	configFields,
	dedicatedServer,
	type PluginInfo,
	PluginServer,
	stockServer,
} from "../../local/gateway/plugin-server";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { properties } from "../../schema/kong";
import { packageRoot } from "../../schema/package-root";
import { rawConfig } from "../support/samples";

type Schema = PluginInfo["Schema"];
type Attributes = ConfigField[string];

const SCHEMA_LUA = join(packageRoot(), "schema/schema.lua");
const NAMES = properties.map(([name]) => name);

const JWK = testKey("RS256-jwk-private.json");
const PEM = createPrivateKey({ key: JSON.parse(JWK), format: "jwk" })
	.export({ type: "pkcs8", format: "pem" })
	.toString();

/** Values that a field must refuse; `null` is a field that is not there. */
const REFUSED: Record<string, unknown[]> = {
	iss: [
		"",
		1,
		"a\n",
		"a\u007f",
		"a b:c",
		"1:a",
		":a",
		"urn:",
		"urn:a b",
		"https://",
		"https:///a",
		"https://a b",
		"https://a@b/",
	],
	jku: [
		"kong",
		"/jwks",
		"a b://c",
		"1://a",
		"://a",
		"a:",
		"a:b",
		"a:/",
		"a:/b",
		"https://",
		"https:///jwks",
		"https://:80",
		"https://a:b@c/",
		"https://a b",
		"https://a/\u0001",
		{},
	],
	private_jwk: [
		null,
		"",
		" \n",
		{ kty: "RSA" },
		true,
		"hello",
		PEM,
		`"${JWK}"`,
		`[${JWK}]`,
		Buffer.from(JWK).toString("base64"),
		"DECK_PRIVATE_JWK",
		`\${{ env "DECK_PRIVATE_JWK" }}`,
	],
	expires_in: [0, -1, "1800", true],
	bearer_clientid_claim: ["", 1, ["azp"]],
	apikey_header: ["", "api key", "api:key", "apikey\n", 1],
	upstream_custom_jwt_header: [null, "", "X Custom", "X-Jwt\r\n", false],
	token_prefix: ["", "Bearer ", "a b", "JWT\r\nX: y", "é", "a:b", 1],
	downstream_custom_jwt_header: ["", "é", "x/y", {}],
	verbose: ["true", 1, []],
	auth_methods: [[], ["ldap"], ["key", ""], ["key", 1], "key", { a: "key" }],
	certificate_clientid: [[], ["cn"], [1], "subject"],
	unauthenticated: ["", "deny", true],
	run_on_preflight: ["true", 1],
	realm: ["", 'a"b', "a\\b", "a\n", 1],
	add_claims: [{ iat: "1" }, { client_id: "a" }, { "": "a" }, { a: 1 }, "a"],
	set_claims: [{ exp: "1" }, { jti: "1" }, { aud: "a" }, { a: "" }, ["a"]],
	keep_claims: [[""], [1], "sub"],
	remove_claims: [[""], [1], "sub"],
	strict_claims: ["true", 1],
	audience: [[], [""], [1], "https://orders.example"],
	audience_as_array: ["true", 1],
	subject: ["", 1],
	not_before: [-86_401, 86_401, 0.5, "0"],
	issued_at_skew: [-1, 3601, 0.5, "0"],
	cap_expiry: ["true", 1],
	token_type: ["", "at jwt", "a".repeat(256), 1],
	max_token_size: [-1, 1_048_577, 0.5, "0"],
	key_id: ["", 1],
	algorithm: ["none", "HS1", "", 1],
	active_kid: ["", 1],
	hmac_key_is_text: ["true", 1],
	include_x5c: ["true", 1],
	reuse_for: [-1, 86_401, "60"],
	reuse_max_tokens: [0, 1_000_001, 0.5, "1"],
	bind_request: ["true", 1],
	bind_certificate: ["true", 1],
	max_request_body_size: [0, 8_388_609, 0.5, "1"],
	log_claims: [[""], [1], "jti"],
};

/** Attributes that refuse no value, and the type, without which the others cannot be read. */
const NO_CHECKS = [
	"type",
	"description",
	"default",
	"encrypted",
	"referenceable",
];

/** Values that a field must take. */
const TAKEN: Record<string, unknown[]> = {
	iss: [
		"https://kong",
		"https://kong:8443/a/b?c=d@e#f",
		"https://[::1]:8443",
		"kong",
		"Küche 1",
		"//kong",
		"urn:example:gw",
		"spiffe://a/b",
		"a:/b",
	],
	jku: ["", "https://kong/jwks", "http://[::1]:8000/jwks?a=b@c"],
	private_jwk: [JWK, `\uFEFF${JWK}`, `\n\t ${JWK}\r\n`, `{"keys":[${JWK}]}`],
	expires_in: [1, 0.5],
	upstream_custom_jwt_header: ["Authorization", "x_custom-JWT9"],
	token_prefix: ["Bearer", "DPoP", "a!#$&^_.+-9"],
	auth_methods: [["oidc"], ["key", "basic"]],
	certificate_clientid: [["subject"], ["san.uri", "fingerprint"]],
	unauthenticated: ["pass", "anonymous"],
	realm: ["service", "My API: v1/a-b_c."],
	add_claims: [{}, { "https://example.com/roles": "$(claims.roles)" }],
	set_claims: [{ client_id: "$(consumer.id)" }, { a: '""' }],
	keep_claims: [[]],
	not_before: [-5, 0],
	token_type: ["at+jwt", "application/at+jwt", "a".repeat(255)],
	reuse_for: [0, 0.5, 86_400],
};

/**
 * What Kong does with the attributes of a field (Kong 3.9: kong/db/schema/init.lua), as far as the schema uses them;
 * any other attribute is an error. `nil` is a field that is not there.
 */
const TAKES = `
	local types = {
		string = function(v) return type(v) == "string" end,
		number = function(v) return type(v) == "number" end,
		integer = function(v) return type(v) == "number" and v == math.floor(v) end,
		boolean = function(v) return type(v) == "boolean" end,
		map = function(v) return type(v) == "table" end,
		record = function(v) return type(v) == "table" end,
	}
	types.array = function(v)
		if type(v) ~= "table" then return false end
		for key in pairs(v) do
			if type(key) ~= "number" then return false end
		end
		return true
	end
	types.set = types.array

	local function size(v)
		if type(v) == "string" then return #v end
		local count = 0
		for _ in pairs(v) do count = count + 1 end
		return count
	end

	local takes
	local function all(v, check)
		for key, value in pairs(v) do
			if not check(key, value) then return false end
		end
		return true
	end

	local says_nothing = function() return true end
	local rules = {
		type = says_nothing, required = says_nothing, default = says_nothing, description = says_nothing,
		encrypted = says_nothing, referenceable = says_nothing,
		between = function(v, limits) return v >= limits[1] and v <= limits[2] end,
		gt = function(v, limit) return v > limit end,
		len_min = function(v, limit) return size(v) >= limit end,
		len_max = function(v, limit) return size(v) <= limit end,
		match = function(v, pattern) return v:match(pattern) ~= nil end,
		match_none = function(v, list)
			return all(list, function(_, item) return v:match(item.pattern) == nil end)
		end,
		one_of = function(v, options)
			return not all(options, function(_, option) return v ~= option end)
		end,
		elements = function(v, element)
			return all(v, function(_, item) return takes(element, item) end)
		end,
		keys = function(v, attributes)
			return all(v, function(key) return takes(attributes, key) end)
		end,
		values = function(v, attributes)
			return all(v, function(_, item) return takes(attributes, item) end)
		end,
		fields = function(v, list)
			local known = {}
			for _, field in pairs(list) do
				for name, attributes in pairs(field) do
					known[name] = true
					if not takes(attributes, v[name]) then return false end
				end
			end
			return all(v, function(name) return known[name] end)
		end,
	}

	function takes(attributes, value)
		for name in pairs(attributes) do
			if not rules[name] then error("an attribute that this test does not know: " .. name) end
		end
		if value == nil then return not attributes.required end
		if not types[attributes.type](value) then return false end
		-- Kong takes no empty text unless told so.
		if value == "" and not attributes.len_min then return false end
		return all(attributes, function(name, wanted) return rules[name](value, wanted) end)
	end
	return takes`;

/** Whether Kong's schema language takes a value for a field. */
let takes: (attributes: Partial<Attributes>, value: unknown) => boolean;
/** What schema.lua returns, run in a Lua that has nothing: no `require`, no library. */
let schema: Schema;
let fields: Record<string, Attributes>;

beforeAll(async () => {
	const lua = await new LuaFactory().createEngine({ enableProxy: false });
	lua.global.set("source", readFileSync(SCHEMA_LUA, "utf8"));
	schema = lua.doStringSync(
		'return assert(load(source, "schema.lua", "t", {}))()',
	);
	takes = lua.doStringSync(TAKES);
	fields = Object.assign({}, ...configFields(schema));
});

/** Whether the plugin takes a value for a field. */
function pluginTakes(name: string, value: unknown): boolean {
	try {
		parseConfig(rawConfig({ [name]: value }));
		return true;
	} catch (error) {
		if (isRefusal(error)) return false;
		throw error;
	}
}

const kongTakes = (name: string, value: unknown) =>
	takes(fields[name] ?? {}, value ?? undefined);

const each = (values: Record<string, unknown[]>) =>
	Object.entries(values).flatMap(([name, list]) =>
		list.map((value): [string, unknown] => [name, value]),
	);

describe.each([
	{ server: "the stock plugin server", command: stockServer() },
	{ server: "the dedicated plugin server", command: dedicatedServer() },
])("schema.lua and the dump of $server", ({ command }) => {
	let dumped: Schema;
	beforeAll(async () => {
		dumped = (await new PluginServer(command, () => {}).query()).Schema;
	});

	test("have the same fields, member by member, in the same order", () => {
		expect(configFields(schema).map(Object.keys)).toEqual(
			configFields(dumped).map(Object.keys),
		);
		for (const field of configFields(dumped))
			for (const [name, attributes] of Object.entries(field))
				expect({ [name]: fields[name] }).toEqual({ [name]: attributes });
	});

	test("are equal in all else", () => {
		// The stock server dumps nothing but the configuration (Kong fact).
		const has = dumped.fields.flatMap(Object.keys);
		const { name, fields } = schema;
		const same = fields.filter((field) =>
			has.includes(Object.keys(field)[0] ?? ""),
		);
		expect(dumped).toEqual({ name, fields: same });
	});
});

describe("schema.lua", () => {
	test("names the plugin", () => {
		expect(schema.name).toBe("x-custom-jwt");
	});

	test("has the protocols of Kong's own plugins, so that decK sends them once", () => {
		const all = ["grpc", "grpcs", "http", "https"];
		expect(schema.fields).toContainEqual({
			protocols: {
				type: "set",
				required: true,
				default: all,
				elements: { type: "string", one_of: all },
			},
		});
	});

	test("is checked here field by field: none is without a value to refuse", () => {
		expect(Object.keys(REFUSED)).toEqual(NAMES);
		expect(Object.keys(fields)).toEqual(NAMES);
	});

	test.each(each(REFUSED))("refuses %s = %j, as the plugin does", (...bad) => {
		expect({ kong: kongTakes(...bad), plugin: pluginTakes(...bad) }).toEqual({
			kong: false,
			plugin: false,
		});
	});

	test.each(each(TAKEN))("takes %s = %j, as the plugin does", (...good) => {
		expect({ kong: kongTakes(...good), plugin: pluginTakes(...good) }).toEqual({
			kong: true,
			plugin: true,
		});
	});

	test.each([
		"{vault://env/x-custom-jwt-private-jwk}",
		"{vault://hcv/jwt/key}",
	])("takes the vault reference %s for private_jwk", (reference) => {
		expect(kongTakes("private_jwk", reference)).toBe(true);
	});

	test("repeats no part of a private_jwk it refuses, as a key in another form may be one", () => {
		const err = "must be a JWK or a JWK Set as JSON text, or a vault reference";
		expect(fields.private_jwk).toMatchObject({
			match_none: [{ err }, { err }],
		});
		expect(fields.private_jwk).not.toHaveProperty("match");
	});

	test("takes each default", () => {
		for (const [name, { default: value }] of Object.entries(fields))
			if (value !== undefined)
				expect([name, kongTakes(name, value)]).toEqual([name, true]);
	});

	test.each(NAMES)("has no check in %s that refuses nothing", (name) => {
		const attributes = fields[name] ?? { type: "" };
		for (const check of Object.keys(attributes)) {
			if (NO_CHECKS.includes(check)) continue;
			// Lets an empty text pass.
			if (check === "len_min" && attributes.len_min === 0) continue;
			const others = { ...attributes, [check]: undefined };
			const refuses = REFUSED[name]?.some((value) =>
				// A check that the others make up for is one too many, but for the length of texts, which Kong sees to.
				check === "len_min" && attributes.type === "string"
					? value === ""
					: takes(others, value ?? undefined),
			);
			expect([check, refuses]).toEqual([check, true]);
		}
	});
});

/** Prints what schema.lua returns as JSON, run with nothing but itself. */
const PRINT = `
	local function json(value)
		if type(value) == "string" then return (("%q"):format(value):gsub("\\\n", "\\n")) end
		if type(value) ~= "table" then return tostring(value) end
		local parts = {}
		for _, item in ipairs(value) do parts[#parts + 1] = json(item) end
		if #parts > 0 then return "[" .. table.concat(parts, ",") .. "]" end
		for name, item in pairs(value) do parts[#parts + 1] = json(name) .. ":" .. json(item) end
		return "{" .. table.concat(parts, ",") .. "}"
	end
	print(json(setfenv(assert(loadfile(arg[1])), {})()))`;

describe.each(["luajit", "lua5.1"])("%s, Kong's kind of Lua", (lua) => {
	const isInstalled = spawnSync(lua, ["-v"]).status === 0;

	(isInstalled ? test : test.skip)("reads the same from schema.lua", () => {
		const { stdout } = spawnSync(lua, ["-", SCHEMA_LUA], {
			input: PRINT,
			encoding: "utf8",
		});
		expect(JSON.parse(stdout)).toEqual(schema);
	});
});

/** Kong's typedef `header_name` (Kong 3.9: tools/http.lua), but for a final newline, which PCRE's `$` lets pass. */
const kongHeaderName = (name: string) => /^[a-zA-Z0-9-_]+$/.test(name);

/** Kong's typedef `url`: LuaSocket finds a scheme and a host (Kong 3.9: schema/typedefs.lua). */
function kongUrl(url: string): boolean {
	const [, scheme = "", rest = url] =
		/^([A-Za-z0-9][A-Za-z0-9+.-]*):(.*)$/s.exec(url) ?? [];
	const [, authority = ""] = /^\/\/([^/?#]*)/.exec(rest) ?? [];
	const host = authority.replace(/^[^@]*@/, "").replace(/:[^:\]]*$/, "");
	return scheme !== "" && host !== "";
}

describe("texts made up at random", () => {
	const RUNS = { numRuns: 3000 };

	test("are header names to schema.lua and the plugin just when they are to Kong", () => {
		fc.assert(
			fc.property(
				fc.string({ unit: fc.constantFrom(..."aZ09-_ :\n.é"), maxLength: 4 }),
				(text) => {
					const name = "apikey_header";
					expect([kongTakes(name, text), pluginTakes(name, text)]).toEqual(
						Array(2).fill(kongHeaderName(text)),
					);
				},
			),
			RUNS,
		);
	});

	const piece = fc.constantFrom(
		..."a1.:/@?#[]+-\t\n é",
		"//",
		"://",
		"http://",
		"https://host",
		":80",
		"@host",
	);

	test("are a StringOrURI to schema.lua just when they are to the plugin", () => {
		fc.assert(
			fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
				const text = pieces.join("");
				expect([text, kongTakes("iss", text)]).toEqual([
					text,
					pluginTakes("iss", text),
				]);
			}),
			RUNS,
		);
	});

	test("are URLs to schema.lua and the plugin when they are to Kong, but for white space, user names and oddities", () => {
		fc.assert(
			fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
				const url = pieces.join("");
				const [, authority = ""] = /\/\/([^/?#]*)/.exec(url) ?? [];
				const odd =
					/\s/.test(url) ||
					authority.includes("@") ||
					authority.startsWith(":") ||
					/^\d/.test(url);
				expect([kongTakes("jku", url), pluginTakes("jku", url)]).toEqual(
					Array(2).fill(url === "" || (kongUrl(url) && !odd)),
				);
			}),
			RUNS,
		);
	});
});
