/** What Konnect demands of a streamed plugin: its size, and the names of its sandbox (read in Kong's sources). */
import { createRequire } from "node:module";
import { MAX_BYTES } from "../../build/lua";
import { inProcess } from "../../local/lua/in-process";
import { decideInLua, handlerText, withDefaults } from "../support/in-process";
import { anonymous, rawConfig, requests } from "../support/samples";

/** The parser of the minifier. */
const { parse } = createRequire(require.resolve("luamin"))("luaparse") as {
	parse: (
		lua: string,
		options: { scope: boolean },
	) => { globals: { name: string }[] };
};

/** Globals that the handler may use; the sandbox has more. */
const GLOBALS =
	"error ipairs kong math next ngx pairs pcall require select string table tonumber tostring type unpack";

describe("the built handler.lua", () => {
	test("has no global but those of the sandbox, such as a function that only JavaScript has", () => {
		const { globals } = parse(handlerText, { scope: true });
		const names = globals.map(({ name }) => name);
		const allowed = GLOBALS.split(" ");
		expect(names.filter((name) => !allowed.includes(name))).toEqual([]);
	});

	test("is text, and not larger than Konnect streams", () => {
		expect(Buffer.byteLength(handlerText)).toBeLessThanOrEqual(MAX_BYTES);
		expect(handlerText).toMatch(/^-- kong-plugin-x-custom-jwt /);
		expect(handlerText.includes("\0")).toBe(false);
	});

	test.each([
		"setmetatable",
		"getmetatable",
		"rawget",
		"rawset",
		"rawequal",
		"load",
		"loadstring",
		"setfenv",
		"getfenv",
		"dofile",
		"debug",
		"ffi",
		"collectgarbage",
		"init_worker",
		"_G",
	])("has no %s in it", (name) => {
		const words = handlerText.split(/[^A-Za-z0-9_]+/);
		expect(words.includes(name)).toBe(false);
	});

	test("uses no name but those of the sandbox, whatever it does", async () => {
		const handler = await inProcess(handlerText);
		const everything = {
			audience: ["$(service.name or 'orders')", "$(headers.x-audience)"],
			subject: "$(consumer.custom_id or auth.method)",
			set_claims: {
				groups: "$(groups | join ' ')",
				certificate: "$(certificate.subject or 'none')",
				query: "$(query_params.a or [])",
				ip: "$(client.ip or 'none')",
			},
			auth_methods: [
				"basic",
				"key",
				"jwt",
				"oauth2",
				"mtls",
				"oidc",
				"consumer",
			],
			bind_certificate: true,
			bind_request: true,
			downstream_custom_jwt_header: "X-Back",
			log_claims: ["jti", "aud"],
			not_before: 0,
			reuse_for: 60,
		};
		for (const config of [{}, { unauthenticated: "pass" }, everything]) {
			const conf = withDefaults(rawConfig(config));
			for (const request of [...Object.values(requests), anonymous, {}]) {
				const decision = decideInLua(handler, conf, request);
				expect(decision.log).not.toContainEqual({
					level: "err",
					message: expect.stringMatching(/^unexpected/),
				});
			}
		}
		expect(handler.forbidden).toEqual([]);
	});
});

describe("the sandbox of the tests", () => {
	test.each([
		["setmetatable({}, {})", "_G.setmetatable"],
		["local _ = io", "_G.io"],
		["string.dump(print)", "string.dump"],
		["os.execute('true')", "os.execute"],
		["local _ = kong.nginx.get_var", "kong.nginx.get_var"],
		["local _ = kong.db", "kong.db"],
		["local _ = kong.client.authenticate", "kong.client.authenticate"],
		["local _ = ngx.timer", "ngx.timer"],
		["require 'ffi'", "require ffi"],
		["require 'kong.db'", "require kong.db"],
	])("refuses a handler with %s", async (code, name) => {
		const handler = await inProcess(
			`return { access = function() pcall(function() ${code} end) end }`,
		);
		handler.access({}, () => undefined);
		expect(handler.forbidden).toEqual([name]);
		await expect(inProcess(`${code} return {}`)).rejects.toThrow(
			"Kong's sandbox has no",
		);
	});

	test("ends a phase where the response is sent, and raises what the phase raises", async () => {
		const calls: string[] = [];
		const pdk = (method: string) => {
			calls.push(method);
			return undefined;
		};
		const handler = await inProcess(`return { access = function(_, conf)
			if conf.raises then error("raised here") end
			pcall(kong.response.exit, 200)
			kong.log.err("never")
		end }`);
		handler.access({}, pdk);
		expect(calls).toEqual(["kong.response.exit"]);
		expect(() => handler.access({ raises: true }, pdk)).toThrow("raised here");
	});

	test("carries bytes both ways", async () => {
		const handler = await inProcess(`return { access = function(_, conf)
			local body = kong.request.get_raw_body()
			kong.log.err(#body, body == "\\0\\1\\255" and conf.text == "é\\0", body)
		end }`);
		let logged: unknown[] = [];
		handler.access({ text: "é\0" }, (method, args) => {
			if (method === "kong.request.get_raw_body") return Buffer.of(0, 1, 255);
			logged = args;
			return undefined;
		});
		expect(logged).toEqual([3, true, "\0\x01\uFFFD"]);
	});
});
