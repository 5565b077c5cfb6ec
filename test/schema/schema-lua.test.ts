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

import { packageRoot } from "../../schema/package-root";
import { rawConfig } from "../support/samples";

type Schema = PluginInfo["Schema"];
type Attributes = ConfigField[string];

const SCHEMA_LUA = join(packageRoot(), "schema/schema.lua");

const JWK = testKey("RS256-jwk-private.json");
const PEM = createPrivateKey({ key: JSON.parse(JWK), format: "jwk" })
	.export({ type: "pkcs8", format: "pem" })
	.toString();

/** Strings that a field must refuse because of a pattern, which Lua and JSON Schema spell differently. */
const REFUSED: Record<string, string[]> = {
	iss: [
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
	],
	private_jwk: [
		" \n",
		"hello",
		PEM,
		`"${JWK}"`,
		`[${JWK}]`,
		Buffer.from(JWK).toString("base64"),
		"DECK_PRIVATE_JWK",
		`\${{ env "DECK_PRIVATE_JWK" }}`,
	],
	apikey_header: ["api key", "api:key", "apikey\n"],
	upstream_custom_jwt_header: ["X Custom", "X-Jwt\r\n"],
	token_prefix: ["Bearer ", "a:b", "é"],
	downstream_custom_jwt_header: ["é", "x/y"],
	realm: ['a"b', "a\\b", "a\n"],
	token_type: ["at jwt"],
};

/** Strings that a field must take. */
const TAKEN: Record<string, string[]> = {
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
	apikey_header: ["apikey"],
	upstream_custom_jwt_header: ["Authorization", "x_custom-JWT9"],
	token_prefix: ["Bearer", "a!#$&^_.+-Z"],
	downstream_custom_jwt_header: ["X-Token"],
	realm: ["service", "My API: v1/a-b_c."],
	token_type: ["at+jwt", "application/at+jwt", "a".repeat(255)],
};

/** What schema.lua returns, run in a Lua that has nothing: no `require`, no library. */
let schema: Schema;
let fields: Record<string, Attributes>;
let find: (text: string, pattern: string) => boolean;

beforeAll(async () => {
	const lua = await new LuaFactory().createEngine({ enableProxy: false });
	lua.global.set("source", readFileSync(SCHEMA_LUA, "utf8"));
	schema = lua.doStringSync(
		'return assert(load(source, "schema.lua", "t", {}))()',
	);
	find = lua.doStringSync(
		"return function(text, pattern) return text:match(pattern) ~= nil end",
	);
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

/** The Lua patterns that a string must match, and those that it must not. */
function patternsOf(name: string) {
	const { match, match_none } = fields[name] as Attributes & {
		match?: string;
		match_none?: { pattern: string }[];
	};
	return {
		wanted: match === undefined ? [] : [match],
		unwanted: (match_none ?? []).map(({ pattern }) => pattern),
	};
}

/** Whether the Lua patterns of a field take a string. */
function luaTakes(name: string, text: string): boolean {
	const { wanted, unwanted } = patternsOf(name);
	return (
		wanted.every((pattern) => find(text, pattern)) &&
		!unwanted.some((pattern) => find(text, pattern))
	);
}

const each = (values: Record<string, string[]>) =>
	Object.entries(values).flatMap(([name, list]) =>
		list.map((value): [string, string] => [name, value]),
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

	test("has patterns in the fields that are checked here, and in no others", () => {
		const patterned = Object.keys(fields).filter((name) => {
			const { wanted, unwanted } = patternsOf(name);
			return wanted.length + unwanted.length > 0;
		});
		expect(patterned.sort()).toEqual(Object.keys(REFUSED).sort());
		expect(Object.keys(TAKEN)).toEqual(Object.keys(REFUSED));
	});

	test.each(each(REFUSED))("refuses %s = %j, as the plugin does", (...bad) => {
		expect({ lua: luaTakes(...bad), plugin: pluginTakes(...bad) }).toEqual({
			lua: false,
			plugin: false,
		});
	});

	test.each(each(TAKEN))("takes %s = %j, as the plugin does", (...good) => {
		expect({ lua: luaTakes(...good), plugin: pluginTakes(...good) }).toEqual({
			lua: true,
			plugin: true,
		});
	});

	test.each([
		"{vault://env/x-custom-jwt-private-jwk}",
		"{vault://hcv/jwt/key}",
	])("takes the vault reference %s for private_jwk", (reference) => {
		expect(luaTakes("private_jwk", reference)).toBe(true);
	});

	test.each(Object.keys(REFUSED))(
		"has no pattern in %s that refuses nothing by itself",
		(name) => {
			const { wanted, unwanted } = patternsOf(name);
			const texts = [...(REFUSED[name] ?? []), ""];
			const refuses = (text: string) => [
				...wanted.map((pattern) => !find(text, pattern)),
				...unwanted.map((pattern) => find(text, pattern)),
			];
			for (const [index, pattern] of [...wanted, ...unwanted].entries())
				expect([
					pattern,
					texts.some((text) =>
						refuses(text).every(
							(refused, other) => refused === (other === index),
						),
					),
				]).toEqual([pattern, true]);
		},
	);

	test("repeats no part of a private_jwk it refuses, as a key in another form may be one", () => {
		const err = "must be a JWK or a JWK Set as JSON text, or a vault reference";
		expect(fields.private_jwk).toMatchObject({
			match_none: [{ err }, { err }],
		});
		expect(fields.private_jwk).not.toHaveProperty("match");
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

describe("strings made up at random", () => {
	const piece = fc.constantFrom(
		..."a1.:/@?#[]+-_\t\n é",
		"//",
		"://",
		"http://",
		"https://host",
		":80",
		"@host",
	);

	test.each(["iss", "jku", "apikey_header", "realm"])(
		"are taken for %s by schema.lua just when the plugin takes them",
		(name) => {
			fc.assert(
				fc.property(
					fc.array(piece, { minLength: 1, maxLength: 6 }),
					(pieces) => {
						const text = pieces.join("");
						expect([text, luaTakes(name, text)]).toEqual([
							text,
							pluginTakes(name, text),
						]);
					},
				),
				{ numRuns: 1000 },
			);
		},
	);
});
