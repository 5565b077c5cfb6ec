import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { testKey } from "../../local/demo/flows";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder } from "../support/server";
import { CLAIMS, NOW, sign } from "../support/signed-token";

const JWKS = join(packageRoot(), "test-keys/RS256-jwks-public.json");
const servers: Server[] = [];
afterAll(() => {
	for (const server of servers) server.close();
});

/** An HTTP server that counts its requests and answers each alike. */
async function serve(status: number, body: string, headers = {}) {
	const seen = { requests: 0, url: "" };
	const server = createServer((_, response) => {
		seen.requests++;
		response.writeHead(status, headers).end(body);
	});
	servers.push(server.listen(0, "localhost"));
	await once(server, "listening");
	seen.url = `http://localhost:${(server.address() as AddressInfo).port}/jwks`;
	return seen;
}

describe("token verify", () => {
	test("verifies a token with a JWK Set from a URL, and says so in words and times", async () => {
		const gateway = await serve(200, testKey("RS256-jwks-public.json"));
		const { code, stdout } = await run(
			[
				"token",
				"verify",
				"-",
				"--jwks",
				gateway.url,
				"--iss",
				CLAIMS.iss,
				"--aud",
				CLAIMS.aud,
				"--alg",
				"RS256",
			],
			{ input: `Bearer ${await sign()}\n` },
		);
		expect(code).toBe(0);
		expect(stdout).toContain('"client_id": "my-user"');
		expect(stdout).toMatch(/^iat {2}issued 3 min( \d+ s)? ago \(20.*Z\)$/m);
		expect(stdout).toMatch(/^exp {2}expires in 2[67] min( \d+ s)? \(20.*Z\)$/m);
		expect(stdout).toContain('signature verified with key "kong"');
		expect(stdout.endsWith("\nVERIFIED\n")).toBe(true);
	});

	test("--json has the verdict, header, claims and times", async () => {
		const token = await sign();
		const args = ["token", "verify", token, "--jwks", JWKS, "--json"];
		const { code, stdout } = await run(args);
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({
			verified: true,
			header: { alg: "RS256", kid: "kong" },
			claims: CLAIMS,
			times: { exp: expect.stringMatching(/^expires in/) },
		});
	});

	test("answers no with exit code 1 and the reason", async () => {
		const token = await sign({ exp: NOW - 120 });
		const { code, stdout } = await run([
			"token",
			"verify",
			token,
			"--jwks",
			JWKS,
		]);
		expect(code).toBe(1);
		expect(stdout).toMatch(
			/NOT VERIFIED: the token expired 2 min( \d+ s)? ago\n$/,
		);
	});

	test("never asks the URL in the token's own jku, and says that there is one", async () => {
		const forger = await serve(200, testKey("idp-jwks-public.json"));
		const token = await sign({}, "idp-jwk-private.json", forger.url);
		const { code, stdout } = await run([
			"token",
			"verify",
			token,
			"--jwks",
			JWKS,
		]);
		expect(code).toBe(1);
		expect(stdout).toContain("the token's own jku was not fetched");
		expect(stdout).toContain(
			'no key has the token\'s kid "idp"; there are "kong"',
		);
		expect(forger.requests).toBe(0);
	});

	test("says which checks were not asked for", async () => {
		const args = ["token", "verify", await sign(), "--jwks", JWKS];
		expect((await run(args)).stdout).toContain(
			"not checked for want of --iss and --aud",
		);
		expect((await run([...args, "--iss", CLAIMS.iss])).stdout).toContain(
			"not checked for want of --aud",
		);
	});

	test.each([
		["answers 404", 404, "", {}, "answers 404; 200 is expected"],
		[
			"leads elsewhere",
			302,
			"",
			{ location: "http://localhost:1/" },
			"answers 302",
		],
		["is no JSON", 200, "<html>", {}, "not JSON; a JWK or a JWK Set"],
		[
			"has keys that are no list",
			200,
			'{"keys":{}}',
			{},
			"keys must be a list",
		],
		["never ends", 200, " ".repeat(2 ** 20 + 1), {}, "answers more than"],
	])(
		"has no answer, exit code 2, when the JWK Set's URL %s",
		async (_, status, body, headers, named) => {
			const { url } = await serve(status, body, headers);
			const args = ["token", "verify", await sign(), "--jwks", url];
			expect(await run(args)).toMatchObject({
				code: 2,
				stdout: "",
				stderr: expect.stringContaining(named),
			});
		},
	);

	test.each([
		["http://user:s3cret@localhost:1/jwks", "no user name or password"],
		["http://localhost:1/jwks?apikey=s3cret", "cannot be reached"],
		["http://user:s3cret@[/jwks", "not a URL"],
	])("prints no secret of a URL: %s", async (url, named) => {
		const args = ["token", "verify", await sign(), "--jwks", url];
		const { code, stdout, stderr } = await run(args);
		expect(code).toBe(2);
		expect(stderr).toContain(named);
		expect(stdout + stderr).not.toContain("s3cret");
	});

	test("takes a token that a terminal broke into lines", async () => {
		const input = (await sign()).replaceAll(/.{80}/g, "$&\n");
		const args = ["token", "verify", "-", "--jwks", JWKS];
		expect(await run(args, { input })).toMatchObject({ code: 0 });
	});

	test("skips members of the JWK Set that are no keys, and names them", async () => {
		const file = join(temporaryFolder(), "jwks.json");
		const good = JSON.parse(testKey("RS256-jwk-public.json"));
		const keys = [null, { kid: "no-kty" }, { kty: "RSA", kid: 7 }, good];
		writeFileSync(file, JSON.stringify({ keys }));
		const command = ["token", "verify", await sign(), "--jwks", file];
		const { code, stdout } = await run(command);
		expect(code).toBe(0);
		for (const index of [0, 1, 2])
			expect(stdout).toContain(`note: not used: keys/${index}: not a JWK`);
		expect(stdout).toContain("\nVERIFIED\n");
	});

	test("has no answer when nobody listens there", async () => {
		const { url } = await serve(200, "");
		servers.pop()?.close();
		const args = ["token", "verify", await sign(), "--jwks", url];
		expect(await run(args)).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("cannot be reached: ECONNREFUSED"),
		});
	});
});

describe("token decode", () => {
	test("prints header, claims and times, and that nothing is verified", async () => {
		const { code, stdout } = await run(["token", "decode", await sign()]);
		expect(code).toBe(0);
		expect(stdout).toContain('"alg": "RS256"');
		expect(stdout).toContain('"client_id": "my-user"');
		expect(stdout).toContain("not verified");
	});

	test("prints JSON with --json", async () => {
		const { stdout } = await run(["token", "decode", "-", "--json"], {
			input: await sign(),
		});
		expect(JSON.parse(stdout)).toMatchObject({
			header: { kid: "kong" },
			claims: CLAIMS,
		});
	});

	test("lets no token write to the terminal", async () => {
		const token = await sign({
			sub: "\u001b[2J\u009b1m\u202eevil\u200b\u{e0041}",
			iat: "\u001b[31m" as never,
		});
		const { stdout } = await run(["token", "decode", token]);
		// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
		expect(stdout).not.toMatch(/[\u001b\u009b\u202e\u200b\u{e0041}]/u);
		expect(stdout).toContain("\\u202eevil\\u200b\\udb40\\udc41");
		expect(stdout).toMatch(/^iat {2}not a time in seconds$/m);
	});

	test("lets no token write to the terminal through what is wrong with it", async () => {
		const header = { alg: "RS256", kid: "kong", crit: ["\u001b[2J"] };
		const encoded = Buffer.from(JSON.stringify(header)).toString("base64url");
		const [, ...rest] = (await sign()).split(".");
		const token = [encoded, ...rest].join(".");
		const { stdout } = await run(["token", "verify", token, "--jwks", JWKS]);
		expect(stdout).not.toContain("\u001b");
		expect(stdout).toMatch(/NOT VERIFIED: .*\\u001b\[2J/);
	});

	test("refuses what is no JWT without repeating it", async () => {
		const { code, stderr } = await run([
			"token",
			"decode",
			"not.a-secret.token",
		]);
		expect(code).toBe(2);
		expect(stderr).toContain("not a JWT");
		expect(stderr).not.toContain("a-secret");
	});
});
