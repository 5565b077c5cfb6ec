import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkConfiguration } from "../../cli/check";
import { select, setsOf } from "../../cli/rotation-entries";
import { makeConfiguration, readConfiguration } from "../../declarative/model";
import { parseSource } from "../../declarative/text";
import { Name } from "../../plugins/x-custom-jwt";
import { packageRoot } from "../../schema/package-root";
import { temporaryFolder } from "../support/server";

const read = (name: string) =>
	readConfiguration([join(packageRoot(), "test/fixtures/cases", name)]);

/** The findings on a file, as lines without the file's name. */
async function check(name: string): Promise<string[]> {
	const findings = await checkConfiguration(read(name));
	return findings.map(
		({ line, column, severity, message }) =>
			`${line}:${column} ${severity}: ${message}`,
	);
}

describe("config check names the route that Kong chooses in place of the JWKS route:", () => {
	test.each([
		"hosts-shadow-jwks.yml",
		"methods-shadow-jwks.yml",
		"regex-priority.yml",
	])("%s", async (name) => {
		const findings = await check(name);
		expect(findings).toEqual([
			expect.stringMatching(
				/error: .* at jku Kong chooses route shop \(.*:6:9\), not route x-custom-jwt-jwks, which/,
			),
		]);
		const configuration = read(name);
		const entries = select(configuration, { plugin: Name });
		await expect(setsOf(configuration, entries)).rejects.toThrow(
			"Kong chooses route shop, not route x-custom-jwt-jwks",
		);
	});
});

test.each(["jwks-by-host-only.yml", "jwks-host-with-port.yml"])(
	"the JWKS route of %s is found, and its key too",
	async (name) => {
		expect(await check(name)).toEqual([]);
		const configuration = read(name);
		const entries = select(configuration, { plugin: Name });
		const [set] = await setsOf(configuration, entries);
		expect(set?.keys.map(({ jwk }) => jwk.kid)).toEqual(["field-1"]);
	},
);

test("routes with expressions are named as not read", async () => {
	const findings = await check("expressions.yml");
	expect(findings).toContainEqual(
		expect.stringContaining(
			"note: route x-custom-jwt-jwks has an expression, which is not read here",
		),
	);
	expect(findings.join()).not.toContain("error");
});

describe("config check reads YAML 1.1 as Kong does:", () => {
	test("a claim of the value NO is a boolean, which Kong rejects", async () => {
		expect(await check("yaml-1.1-norway.yml")).toEqual([
			expect.stringMatching(/^16:34 error: .*set_claims.country/),
			expect.stringMatching(/^16:44 error: .*set_claims.beta/),
		]);
	});

	test("a security plugin with enabled: no does not guard", async () => {
		expect(await check("yaml-1.1-guard-disabled.yml")).toContainEqual(
			expect.stringContaining(
				"warning: x-custom-jwt on service shop: no security plugin on route shop",
			),
		);
	});
});

test("variables that envsubst should have filled in are errors in each field", async () => {
	expect(await check("envsubst-left-over.yml")).toEqual([
		expect.stringMatching(/^12:16 error: \$\{ENVIRONMENT_NAME\} was not/),
		expect.stringMatching(/^13:16 error: \$\{ENVIRONMENT_NAME\} was not/),
		expect.stringMatching(/^14:24 error: \$PRIVATE_JWK was not/),
	]);
});

test("an entry on one consumer is a warning: all other requests pass", async () => {
	expect(await check("entry-on-consumer.yml")).toEqual([
		expect.stringMatching(
			/^13:9 warning: x-custom-jwt on consumer a: requests of everybody else/,
		),
	]);
});

describe("config check finds entities wherever Kong allows them:", () => {
	test("credentials and groups in lists of their own", async () => {
		expect(await check("credentials-at-top-level.yml")).toContainEqual(
			expect.stringContaining(
				"error: route introspect: consumer partner may introspect with HS256",
			),
		);
	});

	test("plugin entries of a file for deck file add-plugins", async () => {
		expect(await check("add-plugins.yml")).toContainEqual(
			expect.stringMatching(
				/^12:21 error: .*"auth_methodz" is not a field of the plugin/,
			),
		);
	});
});

test("a folder stands for the files in it and in its folders", () => {
	const { files } = readConfiguration([
		join(packageRoot(), "test/fixtures/cases"),
	]);
	const names = files.map(({ path }) => path);
	expect(names).toContainEqual(expect.stringContaining("expressions.yml"));
	expect(names).not.toContainEqual(expect.stringContaining(".pem"));
});

test("a folder stands for no hidden files and no packages", () => {
	const folder = temporaryFolder();
	for (const name of ["a/b", ".git", "node_modules/c"]) {
		mkdirSync(join(folder, name), { recursive: true });
		writeFileSync(join(folder, name, "kong.yml"), "services: []");
	}
	const { files } = readConfiguration([folder]);
	expect(files.map(({ path }) => path)).toEqual([join(folder, "a/b/kong.yml")]);
});

test.each([
	["2.1", "~/a/(b|c)"],
	["1.1", "~/a/(b|c)"],
	["3.0", "/a/(b|c)"],
])("in format %s the path /a/(b|c) is %s", (version, path) => {
	const text = `_format_version: "${version}"\nroutes: [{name: a, paths: ["/a/(b|c)", /d]}]\n`;
	const { routes } = makeConfiguration([parseSource(text, "a.yml")]);
	expect(routes[0]?.paths).toEqual([path, "/d"]);
});
