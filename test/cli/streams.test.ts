/** `-` as a file: standard input where a command reads, standard output where it writes. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importSigningKey } from "../../jwk/signing-key";
import { testKey } from "../../local/demo/flows";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";
import { sign } from "../support/signed-token";

const key = (name: string) => join(packageRoot(), "test-keys", name);

test("keys import - --out - is a filter: the key on standard output, words on standard error", async () => {
	const pem = await run([
		"keys",
		"pem",
		"--private",
		key("RS256-jwk-private.json"),
	]);
	const args = ["keys", "import", "-", "--kid", "new", "--out", "-"];
	const { code, stdout, stderr } = await run(args, { input: pem.stdout });
	expect(code).toBe(0);
	expect(importSigningKey(stdout)).toMatchObject({ kid: "new", alg: "RS256" });
	expect(stderr).toBe("RS256 key new\n");
});

test("keys generate --out - prints the private JWK alone, and writes nothing", async () => {
	const before = readdirSync(".");
	const { stdout, stderr } = await run(["keys", "generate", "--out", "-"]);
	expect(importSigningKey(stdout).alg).toBe("ES256");
	expect(stderr).toMatch(/^ES256 key /);
	expect(readdirSync(".")).toEqual(before);
});

test("keys rotate publish --private-out - prints the new key, and words on standard error", async () => {
	const config = join(temporaryFolder(), "kong.yml");
	writeFileSync(config, readFileSync(join(packageRoot(), "kong.yml")));
	const args = ["keys", "rotate", "publish", "--config", config];
	const { stdout, stderr } = await run([...args, "--private-out", "-"]);
	expect(importSigningKey(stdout).alg).toBe("RS256");
	expect(stderr).toContain("joins the JWK Set");
});

test.each([
	["keys", "public", "-", "-"],
	["keys", "thumbprint", "-", "-"],
	["token", "verify", "-", "--jwks", "-"],
	["config", "check", "-", "-"],
])("%s %s with standard input twice is bad use", async (...args) => {
	const input = testKey("RS256-jwk-private.json");
	expect(await run(args, { input })).toMatchObject({
		code: 2,
		stderr: expect.stringContaining("standard input can be read only once"),
	});
});

test.each([
	[["keys", "import", key("ES256-jwk-private.json"), "--out", "-", "--json"]],
	[
		[
			"keys",
			"rotate",
			"publish",
			"--config",
			"x.yml",
			"--private-out",
			"-",
			"--json",
		],
	],
	[["conformance", "--junit", "-", "--json", "-"]],
])("standard output twice is bad use: %j", async (args) => {
	const { code, stdout } = await run(args);
	expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
});

test("keys import, pem and public have --json", async () => {
	const out = join(temporaryFolder(), "private-jwk.json");
	const from = key("ES256-jwk-private.json");
	const imported = await run(["keys", "import", from, "--out", out, "--json"]);
	expect(JSON.parse(imported.stdout)).toEqual({
		kid: "kong",
		alg: "ES256",
		file: out,
		warnings: [],
	});
	const { stdout } = await run(["keys", "pem", from, "--json"]);
	expect(JSON.parse(stdout)).toEqual({ pem: testKey("ES256-public.pem") });
	const set = await run(["keys", "public", from, "--json"]);
	expect(JSON.parse(set.stdout)).toHaveProperty("keys");
});

test("PEM is a key wherever a JWK is read", async () => {
	const [jwk, pem] = [key("RS256-jwk-public.json"), key("RS256-public.pem")];
	const { stdout } = await run(["keys", "thumbprint", jwk, pem, "--json"]);
	const [one, two] = JSON.parse(stdout);
	expect(two.thumbprint).toBe(one.thumbprint);
	const set = await run(["keys", "public", pem]);
	expect(JSON.parse(set.stdout).keys[0]).toMatchObject({
		kty: "RSA",
		alg: "RS256",
	});
});

test.each(["RS256-public.pem", "ES256-public.pem"])(
	"token verify takes %s, whatever kid the token has",
	async (file) => {
		const verify = ["token", "verify", await sign(), "--jwks", key(file)];
		const { code, stdout } = await run(verify);
		expect(code).toBe(file.startsWith("RS256") ? 0 : 1);
		if (code === 0)
			expect(stdout).toContain("verified with the key without kid");
	},
);

test("nothing prints colours, to a terminal or not", async () => {
	for (const env of [{ FORCE_COLOR: "1" }, { NO_COLOR: "1" }])
		for (const args of [
			["--help"],
			["keys", "generate"],
			["token", "decode", "x"],
		]) {
			const { stdout, stderr } = await run(args, { env });
			expect(stdout + stderr).not.toContain("\u001b");
		}
});
