/** Forms of one key that differ, and keys that are too weak. */
import {
	generateKeyPairSync,
	generatePrimeSync,
	type JsonWebKey,
} from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { parseJwks } from "../../jwk/parse";
import { publicHalf, thumbprint } from "../../jwk/public-half";
import { importSigningKey, signingJwk } from "../../jwk/signing-key";

const load = (jwk: object, options = {}) =>
	importSigningKey(JSON.stringify(jwk), options);

const RSA = generateKeyPairSync("rsa", {
	modulusLength: 2048,
}).privateKey.export({ format: "jwk" });

const EC = generateKeyPairSync("ec", {
	namedCurve: "P-256",
}).privateKey.export({ format: "jwk" });
const OKP = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });

/** A P-256 key whose x begins with a zero octet. */
function withLeadingZero(): JsonWebKey & { x: string } {
	for (;;) {
		const jwk = generateKeyPairSync("ec", {
			namedCurve: "P-256",
		}).privateKey.export({ format: "jwk" });
		if (Buffer.from(jwk.x ?? "", "base64url")[0] === 0)
			return { ...jwk, x: String(jwk.x) };
	}
}

function withoutZeros(text: string): string {
	const bytes = Buffer.from(text, "base64url");
	return bytes
		.subarray(bytes.findIndex((byte) => byte !== 0))
		.toString("base64url");
}

function withZero(text: string | undefined): string {
	const bytes = Buffer.from(text ?? "", "base64url");
	return Buffer.concat([Buffer.alloc(1), bytes]).toString("base64url");
}

describe("another form of a key", () => {
	test("a coordinate without its zero octet is taken with a warning and published canonical", async () => {
		const jwk = withLeadingZero();
		const short = { ...jwk, kty: "EC", x: withoutZeros(jwk.x) };
		expect(load(jwk).warnings).toEqual([]);
		expect(load(short).warnings).toEqual([
			expect.stringMatching(/^x must have the octets/),
		]);
		expect(publicHalf(short)).toHaveProperty("x", jwk.x);
		expect(await thumbprint(short)).toBe(
			await calculateJwkThumbprint({ ...jwk, kty: "EC" }),
		);
	});

	test.each(["x", "y", "d"] as const)(
		"an excess zero octet of an EC key's %s is left out with a warning",
		async (member) => {
			const jwk = { ...EC, kty: "EC" };
			const long = { ...jwk, [member]: withZero(EC[member]) };
			expect(signingJwk(JSON.stringify(long)).jwk).toEqual(jwk);
			expect(load(long).warnings).toEqual([
				expect.stringMatching(`^${member} must have the octets`),
			]);
			const { d: _, ...half } = jwk;
			expect(publicHalf(long)).toEqual(half);
			expect(await thumbprint(long)).toBe(await calculateJwkThumbprint(jwk));
		},
	);

	test("an octet too many that is not zero is refused", () => {
		const long = Buffer.concat([
			Buffer.alloc(1, 1),
			Buffer.from(String(EC.x), "base64url"),
		]).toString("base64url");
		for (const use of [load, publicHalf])
			expect(() => use({ ...EC, kty: "EC", x: long })).toThrow(
				"x must have 32 octets for P-256; it has 33",
			);
	});

	// Its octets are no integer: none may be added or left out (RFC 8032 §5.1.2).
	test.each([
		["x", 31],
		["x", 33],
		["d", 31],
		["d", 33],
		["d", 64],
	] as const)(
		"an Ed25519 key whose %s has %d octets is refused",
		(member, octets) => {
			const bytes = Buffer.from(String(OKP[member]), "base64url");
			const wrong = Buffer.concat([Buffer.alloc(32), bytes])
				.subarray(-octets)
				.toString("base64url");
			const jwk = { ...OKP, kty: "OKP", [member]: wrong };
			const fault = `${member} must have 32 octets for Ed25519; it has ${octets}`;
			expect(() => load(jwk)).toThrow(fault);
			if (member === "x") expect(() => publicHalf(jwk)).toThrow(fault);
		},
	);

	test("RSA integers lose their leading zero octets", () => {
		const long = { ...RSA, kty: "RSA", n: withZero(RSA.n) };
		expect(load(long).warnings).toHaveLength(1);
		expect(publicHalf(long)).toHaveProperty("n", RSA.n);
	});

	test("an RSA key of n, e and d alone is named as that", () => {
		const { kty, n, e, d } = RSA;
		for (const p of [undefined, null])
			expect(() => load({ kty, n, e, d, p })).toThrow(
				expect.objectContaining({
					message: "has no p, q, dp, dq, qi",
					form: "incomplete",
				}),
			);
	});

	test("null and empty members are as if they were not there", () => {
		const jwk = { ...RSA, oth: [], x5c: [], key_ops: [], use: null, kid: null };
		expect(load(jwk)).toMatchObject({ kid: undefined });
		expect(load({ ...RSA, oth: null, x5c: null, key_ops: null }).alg).toBe(
			"RS256",
		);
	});

	test("another alg and kid replace an alg and a kid that cannot be used", () => {
		const jwk = { ...RSA, alg: "RSA-OAEP", kid: 7 };
		expect(load(jwk, { alg: "PS256", kid: "new" })).toMatchObject({
			alg: "PS256",
			kid: "new",
		});
	});

	test("a byte order mark is skipped", () => {
		const text = `\uFEFF${JSON.stringify(RSA)}`;
		expect(importSigningKey(text).alg).toBe("RS256");
		expect(parseJwks(text)).toHaveLength(1);
	});
});

test.each([
	["PEM", "-----BEGIN PRIVATE KEY-----\nMII", "PEM"],
	["quoted", JSON.stringify(JSON.stringify(RSA)), "quoted JWK"],
	["in single quotes", `'${JSON.stringify(RSA)}'`, "quoted"],
	["base64", Buffer.from(JSON.stringify(RSA)).toString("base64"), "base64"],
	["empty", " \n", "empty"],
	["anything else", "{vault://env/key}", "not JSON; a JWK"],
])("what is not JSON is named for what it is: %s", (_, text, named) => {
	expect(() => importSigningKey(text)).toThrow(named);
});

describe("a weak key is refused", () => {
	const base64url = (value: bigint) => {
		const hex = value.toString(16);
		return Buffer.from(
			hex.padStart(hex.length + (hex.length % 2), "0"),
			"hex",
		).toString("base64url");
	};
	/** The RSA key of two numbers; d with the order that they would have as primes. */
	function rsaOf(p: bigint, q: bigint, e = 65537n): Record<string, string> {
		const inverse = (value: bigint, modulus: bigint) => {
			let [r, next, t, nextT] = [modulus, value % modulus, 0n, 1n];
			while (next !== 0n) {
				const quotient = r / next;
				[r, next, t, nextT] = [
					next,
					r - quotient * next,
					nextT,
					t - quotient * nextT,
				];
			}
			return ((t % modulus) + modulus) % modulus;
		};
		const d = inverse(e, (p - 1n) * (q - 1n));
		const members = {
			n: p * q,
			e,
			d,
			p,
			q,
			dp: d % (p - 1n),
			dq: d % (q - 1n),
			qi: inverse(q, p),
		};
		return {
			kty: "RSA",
			...Object.fromEntries(
				Object.entries(members).map(([name, value]) => [
					name,
					base64url(value),
				]),
			),
		};
	}
	const prime = (bits: number, options = {}) =>
		generatePrimeSync(bits, { bigint: true, ...options });
	const fitting = (bits: number, e: bigint): bigint => {
		for (;;) {
			const one = prime(bits);
			// Its two highest bits set, as FIPS 186-5 wants the primes.
			if (one >> BigInt(bits - 2) === 3n && (one - 1n) % e !== 0n) return one;
		}
	};

	test("whose primes are of different size", () => {
		expect(() =>
			load(rsaOf(fitting(1536, 65537n), fitting(512, 65537n))),
		).toThrow("far shorter than half the modulus");
	});

	test("one of whose primes is a product", () => {
		const half = () => prime(512) | (3n << 510n);
		let product: bigint;
		do product = half() * half();
		while ((product - 1n) % 65537n === 0n || product >> 1022n !== 3n);
		const other = fitting(1024, 65537n);
		expect(() => load(rsaOf(product, other))).toThrow("p is not a prime");
		expect(() => load(rsaOf(other, product))).toThrow("q is not a prime");
	});

	test("whose long primes are products, by name when it may take seconds", () => {
		const product = (): bigint => {
			for (;;) {
				const one = prime(1100) * prime(1100);
				if (one >> 2198n === 3n && (one - 1n) % 65537n !== 0n) return one;
			}
		};
		const jwk = rsaOf(product(), product());
		expect(() => load(jwk, { thorough: true })).toThrow("p is not a prime");
		// Not looked at, but such a key does not sign what its public half verifies.
		expect(() => load(jwk)).toThrow("are not of one key");
	});

	test("although its modulus has been checked with its primes", () => {
		const [p, q] = [fitting(1024, 65537n), fitting(1024, 65537n)];
		const jwk = rsaOf(p, q);
		expect(load(jwk).warnings).toEqual([]);
		expect(() => load({ ...jwk, p: rsaOf(q, p).q, q: "AQ" })).toThrow(
			"are not of one RSA key",
		);
	});

	test("whose primes are close together", () => {
		const p = fitting(1024, 65537n);
		let q = p + 2n;
		// Any odd number as near shows it: distance is looked at before primality.
		while ((q - 1n) % 65537n === 0n) q += 2n;
		const jwk = rsaOf(q, p);
		expect(() => load(jwk)).toThrow("too close together");
	});

	/** A public exponent, or a private one: odd, and of about so many bits. */
	const exponentFor = (p: bigint, q: bigint, bits: number): bigint => {
		for (;;) {
			const one = prime(bits);
			if ((p - 1n) % one !== 0n && (q - 1n) % one !== 0n) return one;
		}
	};

	test.each([256, 600, 1000])(
		"whose private exponent has %d bits, of 2048",
		(bits) => {
			const [p, q] = [fitting(1024, 65537n), fitting(1024, 65537n)];
			const short = exponentFor(p, q, bits);
			const { d: e, ...others } = rsaOf(p, q, short);
			const dOf = (modulus: bigint) => base64url(short % modulus);
			const jwk = { ...others, e, d: base64url(short) };
			expect(() => load({ ...jwk, dp: dOf(p - 1n), dq: dOf(q - 1n) })).toThrow(
				"can be computed from the public key",
			);
		},
	);

	test("whose public exponent is above 2^256", () => {
		const [p, q] = [fitting(1024, 65537n), fitting(1024, 65537n)];
		expect(() => load(rsaOf(p, q, exponentFor(p, q, 257)))).toThrow(
			"must be less than 2^256",
		);
	});

	test.each([
		[3n, true],
		[17n, true],
		[5n, false],
		[257n, false],
	])("with e = %s, or taken with a warning", (e, isTaken) => {
		const jwk = rsaOf(fitting(1024, e), fitting(1024, e), e);
		if (isTaken)
			expect(load(jwk).warnings).toEqual([
				expect.stringContaining(`e is ${e}`),
			]);
		else expect(() => load(jwk)).toThrow("e must be 3, 17, or at least 65537");
	});

	test("whose e is even", () => {
		expect(() => load({ ...RSA, e: "AQAC" })).toThrow("e must be odd");
	});

	test("that is one byte repeated", () => {
		const k = Buffer.alloc(64, 65).toString("base64url");
		expect(() => load({ kty: "oct", k })).toThrow("k is one byte repeated");
	});
});
