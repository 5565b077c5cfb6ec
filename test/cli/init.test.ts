import { execFileSync } from "node:child_process";
import {
	cpSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { importKey } from "../../cli/import/import-key";
import type { Anything } from "../../local/backend/backend";
import { type Demo, startDemo } from "../../local/demo/demo";
import { parseDeclarative } from "../../local/gateway/entities";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";

const folder = join(temporaryFolder(), "starter");
const file = join(folder, "kong.yml");
/** Where entities are in declarative configuration. */
const COLLECTIONS = [
	"services",
	"routes",
	"plugins",
	"consumers",
	"keyauth_credentials",
];

/** The starter for a Kong without database, by the printed command. */
function withoutDatabase(): string {
	return readFileSync(file, "utf8").replace(/^_info:.*\n/m, "");
}

/** A git repository with a copy of a folder in it. */
function repositoryWith(folder: string): string {
	const repository = temporaryFolder();
	execFileSync("git", ["init", "--quiet", repository]);
	cpSync(folder, join(repository, "starter"), { recursive: true });
	return repository;
}

const VARIABLE = "X_CUSTOM_JWT_PRIVATE_JWK";

let printed: string;
let demo: Demo | undefined;
beforeAll(async () => {
	const { stdout, code } = await run([
		"init",
		"--service",
		"orders",
		"--url",
		"http://httpbin:9000/anything",
		"--gateway",
		"https://kong-gateway:8443/",
		"--discovery",
		"--out",
		folder,
	]);
	expect(code).toBe(0);
	printed = stdout;
});
afterAll(() => demo?.close());

test("config check finds no fault in the starter", async () => {
	const { code, stdout } = await run(["config", "check", file]);
	expect(stdout).not.toMatch(/ (error|warning): /);
	expect(code).toBe(0);
});

test("the printed steps begin with what needs no Kong, and name the command as it was called", () => {
	expect(printed).toContain(
		`npx kong-plugin-x-custom-jwt config check ${file}\n`,
	);
	expect(printed).toContain(`npx kong-plugin-x-custom-jwt try ${file}\n`);
	expect(printed).not.toMatch(/ x-custom-jwt (config|try) /);
});

test("the printed steps show a diff before the sync", () => {
	const diff = printed.indexOf(`deck gateway diff ${file}`);
	const sync = printed.indexOf(`deck gateway sync ${file}`);
	expect(diff).toBeGreaterThan(0);
	expect(sync).toBeGreaterThan(diff);
});

test("decK touches only what the starter made: it selects a tag, which every entity has", () => {
	const { _format_version, _info, ...entities } = parse(
		readFileSync(file, "utf8"),
	);
	const tags = ["x-custom-jwt-orders"];
	expect(_info).toEqual({ select_tags: tags });
	let count = 0;
	JSON.stringify(entities, (name, value) => {
		if (Array.isArray(value) && COLLECTIONS.includes(name))
			for (const entity of value) {
				expect(entity).toMatchObject({ tags });
				count += 1;
			}
		return value;
	});
	expect(count).toBe(14);
});

test("without the line _info the starter is for a Kong without database, as the step for Docker leaves it out", () => {
	const { _info, ...starter } = parse(readFileSync(file, "utf8"));
	expect(parse(withoutDatabase())).toEqual(starter);
});

test("git takes nothing of the folder", () => {
	const listed = execFileSync(
		"git",
		["ls-files", "--others", "--exclude-standard"],
		{ cwd: repositoryWith(folder), encoding: "utf8" },
	);
	expect(listed).toBe("");
});

test("the starter and its keys are for nobody else to read, and the private key is not in it", () => {
	const key = join(folder, "keys/private-jwk.json");
	for (const path of [file, key]) expect(statSync(path).mode & 0o077).toBe(0);
	const { d } = JSON.parse(readFileSync(key, "utf8"));
	expect(readFileSync(file, "utf8")).not.toContain(d);
});

test("the starter runs: the printed request gets a token that the published key verifies", async () => {
	const key = readFileSync(join(folder, "keys/private-jwk.json"), "utf8");
	process.env[VARIABLE] = key;
	demo = await startDemo({
		configuration: parseDeclarative(withoutDatabase(), file),
		pluginServerCommand: dedicatedServer(),
		algorithms: ["ES256"],
		log: () => {},
	});
	const apikey = /apikey: ([\w-]+)/.exec(printed)?.[1] ?? "";
	const { httpUrl } = demo.gateway;
	const { body } = await send(`${httpUrl}/orders`, { headers: { apikey } });
	const { claims } = (JSON.parse(body) as Anything).jwt;
	expect(claims).toMatchObject({ client_id: "example", auth_method: "key" });

	const discovery = await send(
		`${httpUrl}/x-custom-jwt/.well-known/openid-configuration`,
	);
	expect(JSON.parse(discovery.body)).toMatchObject({
		issuer: claims.iss,
		jwks_uri: `${claims.iss}/jwks`,
		id_token_signing_alg_values_supported: ["ES256"],
	});
	const jwks = await send(`${httpUrl}/x-custom-jwt/jwks`, {
		headers: { origin: "https://app.example" },
	});
	expect(jwks.headers).toMatchObject({
		"cache-control": "public, max-age=3600",
		"access-control-allow-origin": "*",
	});
});

test.each([
	["--service", "a b"],
	["--url", "orders:8080"],
	["--gateway", "ftp://x"],
])("%s %s is refused, and nothing is written", async (option, value) => {
	const args = new Map([
		["--service", "s"],
		["--url", "http://s"],
		["--gateway", "http://g"],
		[option, value],
	]);
	const { code, stderr } = await run([
		"init",
		...[...args].flat(),
		"--out",
		join(folder, "no"),
	]);
	expect([code, stderr]).toEqual([2, expect.stringContaining(option)]);
	expect(() => statSync(join(folder, "no"))).toThrow("ENOENT");
});

const initIn = (folder: string) =>
	run(
		`init --service s --url http://s --gateway http://g --out ${folder}`.split(
			" ",
		),
	);

test.each(["client-key.pem", "RS256-jwk-private.json"])(
	"--key takes the key of %s, --audience and --claims what the token says",
	async (key) => {
		const own = join(temporaryFolder(), "own");
		const { code } = await run([
			...["init", "--service", "s", "--url", "http://s"],
			...["--gateway", "http://g", "--out", own],
			...["--key", join(packageRoot(), "test-keys", key)],
			...["--audience", "urn:s", "--claims", '{"sub":"$(consumer.id)"}'],
		]);
		expect(code).toBe(0);
		const [{ plugins }] = parse(
			readFileSync(join(own, "kong.yml"), "utf8"),
		).services;
		expect(plugins[0].config).toMatchObject({
			audience: ["urn:s"],
			set_claims: {
				client_id: "$(consumer.username)",
				sub: "$(consumer.id)",
			},
		});
		const jwk = JSON.parse(
			readFileSync(join(own, "keys/private-jwk.json"), "utf8"),
		);
		const file = readFileSync(join(packageRoot(), "test-keys", key), "utf8");
		expect(jwk).toMatchObject(importKey(file).jwk);
	},
);

test.each([
	["--claims", "[]", "JSON object"],
	["--claims", "{", "JSON object"],
	["--key", "package.json", "package.json: "],
	["--key", "test-keys/HS256-jwk.json", "symmetric"],
])("%s %s is invalid, and nothing is written", async (option, value, why) => {
	const no = join(temporaryFolder(), "no");
	const { code, stderr } = await run([
		..."init --service s --url http://s --gateway http://g --out".split(" "),
		...[no, option, value],
	]);
	expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
	expect(() => statSync(no)).toThrow("ENOENT");
});

test("a starter that is there is not overwritten", async () => {
	const before = readFileSync(file, "utf8");
	const { code, stderr } = await initIn(folder);
	expect(code).toBe(2);
	expect(stderr).toMatch(/is there already: give another --out$/m);
	expect(readFileSync(file, "utf8")).toBe(before);
});

test("beside a kong.yml that is there no key is written", async () => {
	const other = join(temporaryFolder(), "other");
	mkdirSync(other);
	writeFileSync(join(other, "kong.yml"), "");
	const { code } = await initIn(other);
	expect([code, readdirSync(other)]).toEqual([2, ["kong.yml"]]);
});

/** Without the key that other tests put into the environment. */
const NO_KEY = { env: { [VARIABLE]: "" } };

/** Runs init with what it needs, into a folder of its own. */
async function initWith(...args: string[]) {
	const out = join(temporaryFolder(), "starter");
	const outcome = await run([
		...["init", "--service", "orders", "--url", "http://orders:8080"],
		...["--gateway", "https://api.example.com", "--out", out, ...args],
	]);
	return { ...outcome, out, file: join(out, "kong.yml") };
}

test("with several ways to authenticate each has a route of its own, and all of them run", async () => {
	const methods = ["key", "basic", "jwt", "mtls", "oidc"];
	const { file, stdout } = await initWith(
		...methods.flatMap((method) => ["--auth", method]),
		...["--issuer", "https://idp.example.com"],
	);
	for (const method of methods)
		expect(stdout).toContain(`https://api.example.com/orders/${method}\n`);
	const checked = await run(["config", "check", file]);
	expect(checked.stdout).toContain("0 errors");
	const tried = await run(["try", file, "--check"], NO_KEY);
	expect(tried.stdout.match(/^ok .* 200 {2}verified {2}\w+/gm)).toHaveLength(5);
	expect(tried.code).toBe(0);
});

test.each([
	[
		"docker",
		/docker run .*\n.*KONG_DECLARATIVE_CONFIG_STRING="\$\(grep -v '\^_info:'/,
	],
	["kubernetes", /kubectl -n kong create secret generic x-custom-jwt/],
	["konnect", /deck gateway sync .* --konnect-control-plane-name/],
	["existing", /deck gateway diff \S+\n +deck gateway sync/],
])("--target %s prints its commands", async (target, commands) => {
	const { stdout } = await initWith("--target", target);
	expect(stdout).toMatch(commands);
	expect(stdout).toContain("npx kong-plugin-x-custom-jwt try ");
});

test("without a terminal what is missing is named, and nothing is asked", async () => {
	const { code, stderr } = await run(["init", "--service", "orders"]);
	expect([code, stderr]).toEqual([
		2,
		expect.stringContaining("required option '--url <url>' not specified"),
	]);
});

describe("--add-to", () => {
	const OWN = `# Ours.
_format_version: "3.0"
services:
- name: orders   # the shop's
  url: http://orders:8080
  routes:
  - name: orders
    paths: [ "/orders" ]
    plugins:
    - name: key-auth
- name: other
  url: http://other`;

	function own(text = OWN): string {
		const path = join(temporaryFolder(), "kong.yml");
		writeFileSync(path, text);
		return path;
	}

	const add = (path: string, ...args: string[]) =>
		run([
			...["init", "--add-to", path, "--gateway", "https://api.example.com"],
			...args,
		]);

	test("puts the plugin and the JWKS route into a file, and leaves every other line as it is", async () => {
		const path = own();
		const { code, stdout } = await add(path, "--service", "orders");
		expect(code).toBe(0);
		expect(stdout).toContain(
			`${path}: plugin x-custom-jwt on Service orders\n`,
		);
		const after = readFileSync(path, "utf8");
		const lines = after.split("\n");
		let at = -1;
		for (const line of OWN.split("\n")) {
			at = lines.indexOf(line, at + 1);
			expect([line, at]).not.toEqual([line, -1]);
		}
		const { services, routes } = parse(after);
		expect(services[0].plugins).toMatchObject([
			{ name: "x-custom-jwt", config: { auth_methods: ["key"] } },
		]);
		expect(services[1]).not.toHaveProperty("plugins");
		expect(routes).toMatchObject([{ name: "x-custom-jwt-jwks" }]);
		const tried = await run(["try", path, "--check"], NO_KEY);
		expect(tried.stdout).toMatch(/^ok .* 200 {2}verified {2}key/m);
	});

	test("keeps the keys beside the file out of git", async () => {
		const path = own();
		await add(path, "--service", "orders");
		const ignore = join(path, "../keys/.gitignore");
		expect(readFileSync(ignore, "utf8")).toBe("*\n");
	});

	test("adds the security plugin that --auth names where there is none", async () => {
		const path = own();
		await add(path, "--service", "other", "--auth", "basic");
		const { services } = parse(readFileSync(path, "utf8"));
		expect(services[1].plugins).toMatchObject([
			{ name: "basic-auth" },
			{ name: "x-custom-jwt", config: { auth_methods: ["basic"] } },
		]);
	});

	test("warns of a security plugin that keeps backends from the JWK Set", async () => {
		const { stderr } = await add(
			own(`${OWN}\nplugins:\n- name: jwt\n`),
			...["--service", "orders"],
		);
		expect(stderr).toMatch(/^warning: .*plugin jwt runs on every route/m);
	});

	test.each([
		[OWN, [], "--service names one of its Services; there are orders, other"],
		[OWN, ["--service", "no"], "no Service no; there are orders, other"],
		[OWN, ["--service", "other"], "--auth names one to add"],
		[OWN, ["--service", "orders", "--url", "http://x"], "--url is for a new"],
		[
			'{"_format_version": "3.0", "services": [{"name": "s", "url": "http://s"}]}',
			["--auth", "key"],
			"cannot be added to lists that are written in this way",
		],
	])("changes nothing when it cannot be: %#", async (text, args, message) => {
		const path = own(text);
		const { code, stderr } = await add(path, ...args);
		expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
		expect(readFileSync(path, "utf8")).toBe(text);
		expect(existsSync(join(path, "../keys/private-jwk.json"))).toBe(false);
	});

	test("changes nothing in a file that has the plugin already", async () => {
		const path = own();
		await add(path, "--service", "orders");
		const before = readFileSync(path, "utf8");
		const { code, stderr } = await add(path, "--service", "orders");
		expect([code, stderr]).toEqual([
			2,
			expect.stringContaining("x-custom-jwt is on service orders already"),
		]);
		expect(readFileSync(path, "utf8")).toBe(before);
	});
});
