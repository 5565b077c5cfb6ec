import {
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
} from "node:crypto";
import {
	chmodSync,
	existsSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import {
	calculateJwkThumbprint,
	createLocalJWKSet,
	importSPKI,
	type JWK,
	jwtVerify,
} from "jose";
import { BadUse } from "../../cli/files";
import { checkPrivate, parseJwks, publicHalf } from "../../cli/named-jwk";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { generateKey } from "../../jwk/generate";
import { privateJwkToPem } from "../../jwk/signing-key";
import { testKey } from "../../local/demo/flows";
import { packageRoot } from "../../schema/package-root";
import { run, secretsOf } from "../support/cli";
import { temporaryFolder } from "../support/server";
import { signWith } from "../support/signed-token";

const folder = temporaryFolder();
const KEYS = join(packageRoot(), "test-keys");
const file = (name: string) => join(KEYS, name);
const read = (...path: string[]) => readFileSync(join(...path), "utf8");

/** Writes a file into the temporary folder. */
function write(name: string, content: string | object): string {
	const path = join(folder, name);
	const text = typeof content === "string" ? content : JSON.stringify(content);
	writeFileSync(path, text);
	return path;
}

describe("keys generate", () => {
	test("writes a private JWK that only its owner can read, and three public files that verify its tokens", async () => {
		const out = join(folder, "new/ES256");
		const { code, stdout } = await run([
			"keys",
			"generate",
			"--kid",
			"k1",
			"--out",
			out,
		]);
		expect(code).toBe(0);
		expect(stdout).toContain(join(out, "private-jwk.json"));
		const mode = statSync(join(out, "private-jwk.json")).mode & 0o777;
		expect(mode).toBe(0o600);
		const token = await signWith(read(out, "private-jwk.json"));
		const { protectedHeader } = await jwtVerify(
			token,
			createLocalJWKSet(JSON.parse(read(out, "public-jwks.json"))),
		);
		expect(protectedHeader).toMatchObject({ alg: "ES256", kid: "k1" });
		await jwtVerify(token, JSON.parse(read(out, "public-jwk.json")));
		await jwtVerify(token, await importSPKI(read(out, "public.pem"), "ES256"));
		for (const name of ["public-jwk.json", "public-jwks.json", "public.pem"])
			expect(read(out, name)).not.toContain('"d"');
	});

	test.each(PUBLIC_KEY_ALGORITHMS)(
		"makes a key that signs with %s",
		async (alg) => {
			const jwk = await generateKey(alg);
			const token = await signWith(JSON.stringify(jwk));
			const keySet = createLocalJWKSet({ keys: [publicHalf(jwk, "it")] });
			const { protectedHeader } = await jwtVerify(token, keySet);
			expect(protectedHeader).toMatchObject({
				alg,
				kid: await calculateJwkThumbprint(jwk),
			});
		},
	);

	test("makes an RSA key of the size asked for, and refuses a size for other keys", async () => {
		const out = join(folder, "3072");
		const bits = ["--bits", "3072", "--out", out];
		const rsa = await run(["keys", "generate", "--alg", "RS256", ...bits]);
		expect(rsa).toMatchObject({ code: 0 });
		const key = createPublicKey(read(out, "public.pem"));
		expect(key.asymmetricKeyDetails?.modulusLength).toBe(3072);
		const refused = await run(["keys", "generate", ...bits]);
		expect(refused).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("--bits: only RSA keys differ in size"),
		});
	});

	test("makes a key for SPIFFE's JWT-SVIDs: it signs, and both halves keep their use", async () => {
		const out = join(folder, "svid");
		const { code } = await run([
			"keys",
			"generate",
			"--alg",
			"ES256",
			"--use",
			"jwt-svid",
			"--out",
			out,
		]);
		expect(code).toBe(0);
		const [privateJwk, set] = ["private-jwk.json", "public-jwks.json"].map(
			(name) => join(out, name),
		) as [string, string];
		expect(JSON.parse(read(privateJwk))).toHaveProperty("use", "jwt-svid");
		expect(JSON.parse(read(set)).keys).toMatchObject([{ use: "jwt-svid" }]);
		const published = await run(["keys", "public", privateJwk]);
		expect(JSON.parse(published.stdout)).toEqual(JSON.parse(read(set)));
		const verdict = await run([
			"token",
			"verify",
			await signWith(read(privateJwk)),
			"--jwks",
			set,
		]);
		expect(verdict).toMatchObject({ code: 0 });

		const imported = join(out, "imported.json");
		await run(["keys", "import", privateJwk, "--out", imported]);
		expect(JSON.parse(read(imported))).toEqual(JSON.parse(read(privateJwk)));
	});

	test("overwrites nothing without --force, and with it leaves nobody else able to read the key", async () => {
		const out = join(folder, "twice");
		const generate = ["keys", "generate", "--alg", "EdDSA", "--out", out];
		await run(generate);
		const before = read(out, "private-jwk.json");
		expect(await run(generate)).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("private-jwk.json is there; --force"),
		});
		expect(read(out, "private-jwk.json")).toBe(before);
		chmodSync(join(out, "private-jwk.json"), 0o644);
		expect(await run([...generate, "--force"])).toMatchObject({ code: 0 });
		expect(read(out, "private-jwk.json")).not.toBe(before);
		const mode = statSync(join(out, "private-jwk.json")).mode & 0o777;
		expect(mode).toBe(0o600);
	});

	test("--json names the key and its files, and shows no private member", async () => {
		const out = join(folder, "json");
		const generate = ["keys", "generate", "--alg", "EdDSA", "--out", out];
		const { stdout } = await run([...generate, "--json"]);
		const { kid, alg, files } = JSON.parse(stdout);
		const jwk = JSON.parse(read(files.private));
		expect({ kid, alg }).toEqual({ kid: jwk.kid, alg: "EdDSA" });
		expect(Object.values(files).every((path) => existsSync(String(path)))).toBe(
			true,
		);
		expect(stdout).not.toContain(jwk.d);
	});
});

describe("keys public", () => {
	test("makes one JWK Set of public halves of private and public JWKs and JWK Sets", async () => {
		const other = write("other.json", {
			...JSON.parse(testKey("ES256-jwk-private.json")),
			kid: "other",
		});
		const { code, stdout } = await run(["keys", "public", "-", other], {
			input: testKey("RS256-jwks-public.json"),
		});
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toEqual({
			keys: [
				JSON.parse(testKey("RS256-jwk-public.json")),
				{ ...JSON.parse(testKey("ES256-jwk-public.json")), kid: "other" },
			],
		});
	});

	test.each([
		["a symmetric key", file("HS256-jwk.json"), "a symmetric key (oct)"],
		[
			"a file that is not there",
			"nowhere.json",
			"nowhere.json cannot be read: ENOENT",
		],
		["a PEM", file("RS256-public.pem"), "not JSON but PEM"],
	])("refuses %s, naming it", async (_, path, named) => {
		expect(await run(["keys", "public", path])).toMatchObject({
			code: 2,
			stdout: "",
			stderr: expect.stringContaining(named),
		});
	});

	test("says beside the JWK Set what was left out of it, and which library a key breaks", async () => {
		const jwk = JSON.parse(testKey("ES256-jwk-private.json"));
		const path = write("odd.json", { ...jwk, kid: "clé", x5c: ["PEM"] });
		const { code, stdout, stderr } = await run(["keys", "public", path]);
		expect(code).toBe(0);
		expect(JSON.parse(stdout).keys[0]).not.toHaveProperty("x5c");
		expect(stderr).toContain(`warning: ${path}: x5c is left out, as x5c/0`);
		expect(stderr).toContain(`warning: ${path}: kid has characters outside`);
	});

	test("refuses two keys of one kid", async () => {
		const two = [file("RS256-jwk-public.json"), file("ES256-jwk-public.json")];
		expect(await run(["keys", "public", ...two])).toMatchObject({
			code: 2,
			stderr: expect.stringContaining('two keys have the kid "kong"'),
		});
	});
});

describe("keys pem", () => {
	test("prints the public key, and the private one only when asked", async () => {
		const jwk = file("RS256-jwk-private.json");
		const { stdout } = await run(["keys", "pem", jwk]);
		expect(stdout).toBe(testKey("RS256-public.pem"));
		const { stdout: pem } = await run(["keys", "pem", jwk, "--private"]);
		expect(createPrivateKey(pem).export({ format: "jwk" })).toEqual(
			createPrivateKey({
				key: JSON.parse(testKey("RS256-jwk-private.json")),
				format: "jwk",
			}).export({ format: "jwk" }),
		);
	});

	test.each([
		[
			"a public JWK, asked for the private key",
			["ES256-jwk-public.json", "--private"],
			"not a private JWK",
		],
		["a symmetric key", ["HS256-jwk.json"], "a symmetric key (oct)"],
	])("refuses %s", async (_, [name = "", ...flags], named) => {
		expect(await run(["keys", "pem", file(name), ...flags])).toMatchObject({
			code: 2,
			stdout: "",
			stderr: expect.stringContaining(named),
		});
	});
});

test("keys thumbprint is the same for both halves, and RFC 7638's own", async () => {
	const names = ["ES256-jwk-private.json", "ES256-jwks-public.json"];
	const args = ["keys", "thumbprint", ...names.map(file), "--json"];
	const [a, b] = JSON.parse((await run(args)).stdout);
	expect(a.thumbprint).toBe(b.thumbprint);
	// The example of RFC 7638 §3.1.
	const { stdout } = await run(["keys", "thumbprint", "-"], {
		input: JSON.stringify({
			kty: "RSA",
			n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
			e: "AQAB",
			alg: "RS256",
			kid: "2011-04-29",
		}),
	});
	expect(stdout).toContain("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
});

describe("any key", () => {
	test("that is generated is the same after JWK → PEM → JWK, and has no private member in its public half", async () => {
		const property = fc.asyncProperty(
			fc.constantFrom(
				...PUBLIC_KEY_ALGORITHMS.filter((alg) => /^E/.test(alg)),
				"RS256",
			),
			fc.string({ minLength: 1 }),
			async (alg, kid) => {
				const {
					kid: given,
					use,
					alg: of,
					...jwk
				} = await generateKey(alg, { kid });
				expect({ given, use, of }).toEqual({ given: kid, use: "sig", of: alg });
				const pem = privateJwkToPem({ ...jwk });
				expect(createPrivateKey(pem).export({ format: "jwk" })).toEqual(jwk);
				const half = publicHalf(jwk as JWK, "it");
				const publicPem = createPublicKey(pem);
				expect(half).toEqual(publicPem.export({ format: "jwk" }));
			},
		);
		await fc.assert(property, { numRuns: 40 });
	});

	const samples = ["RS256", "ES256", "EdDSA"].map((alg) =>
		JSON.parse(testKey(`${alg}-jwk-private.json`)),
	);
	samples.push(JSON.parse(testKey("HS256-jwk.json")));

	/** A JWK with a member changed, or its text cut or with a character replaced, and what must stay secret. */
	const spoiled = fc
		.record({
			jwk: fc.constantFrom(...samples),
			member: fc.nat(),
			value: fc.oneof(
				fc.jsonValue(),
				fc.constant(undefined),
				fc.base64String(),
				fc.constant("AQAB"),
			),
			cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
			typo: fc.option(
				fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.string()),
			),
		})
		.map(({ jwk, member, value, cut, typo }) => {
			const names = Object.keys(jwk);
			const name = names[member % names.length] ?? "";
			let text = JSON.stringify({ ...jwk, [name]: value });
			const at = (part: number) => Math.floor(part * text.length);
			if (cut !== null) text = text.slice(0, at(cut));
			if (typo)
				text =
					text.slice(0, at(typo[0])) + typo[1] + text.slice(at(typo[0]) + 1);
			return { text, secrets: secretsOf(jwk) };
		});

	test("that is wrong or cut is refused by the tool's own words, without a piece of the secret", () => {
		const property = fc.property(spoiled, ({ text, secrets }) => {
			try {
				for (const jwk of parseJwks(text, "it")) {
					publicHalf(jwk, "it");
					checkPrivate(jwk, "it");
				}
			} catch (error) {
				expect(error).toBeInstanceOf(BadUse);
				const shown = inspect(error);
				expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
			}
		});
		fc.assert(property, { numRuns: 1000 });
	});

	test("that is wrong or cut never makes a command crash, or print a piece of the secret", async () => {
		const property = fc.asyncProperty(
			spoiled,
			fc.constantFrom("public", "pem", "thumbprint"),
			async ({ text, secrets }, command) => {
				const { code, stdout, stderr } = await run(["keys", command, "-"], {
					input: text,
				});
				expect([0, 2]).toContain(code);
				expect(stderr).not.toMatch(/unexpected|\bat .*:\d+/);
				const shown = stdout + stderr;
				expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
			},
		);
		await fc.assert(property, { numRuns: 40 });
	});
});

test("keys import writes a private JWK for its owner only, and overwrites nothing", async () => {
	const source = join(folder, "import.pem");
	const out = join(folder, "imported.json");
	const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	writeFileSync(source, privateKey.export({ type: "sec1", format: "pem" }));
	const command = ["keys", "import", source, "--kid", "new", "--out", out];
	expect(await run(command)).toMatchObject({
		code: 0,
		stdout: `ES256 key new\n${out}\n`,
	});
	expect(statSync(out).mode & 0o777).toBe(0o600);
	expect(await run(command)).toMatchObject({
		code: 2,
		stderr: `x-custom-jwt: ${out} is there already\n`,
	});
});
