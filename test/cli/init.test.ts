import { execFileSync } from "node:child_process";
import {
	cpSync,
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

test("the printed steps begin with the plugin itself, and name the command as it was called", () => {
	expect(printed).toMatch(/^1\. put the plugin into Kong: .*docs\//m);
	expect(printed).toContain(
		`npx kong-plugin-x-custom-jwt config check ${file}\n`,
	);
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

test("without the line _info the starter is for a Kong without database, as the printed step says", () => {
	expect(printed).toContain(`grep -v '^_info:' ${file}`);
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
