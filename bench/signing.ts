/**
 * How near does our whole token path, from what is known of a request to the compact JWS, come to what
 * node:crypto can sign at most? And the libraries of the field, on the same claims and key.
 */
import {
	createHmac,
	createPrivateKey,
	createSecretKey,
	randomUUID,
	sign,
} from "node:crypto";
import { type Algorithm, createSigner } from "fast-jwt";
import { SignJWT } from "jose";
import { measure } from "mitata";
import { makeClaims } from "../core/claims";
import { issue } from "../core/token";
import { privateJwkToPem } from "../jwk/signing-key";
import { testKey } from "../local/demo/flows";
import { parseConfig } from "../plugins/x-custom-jwt/config";
import { consumer, service } from "../test/support/samples";
import { amount, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

/** Signs one token, or as many bytes, and calls back. */
type Side = (done: (error?: unknown) => void) => void;

/** Algorithm, key of test-keys, and how many tokens are signed at a time. */
const CASES: [Algorithm, keyFile: string, concurrency: number][] = [
	["RS256", "RS256-jwk-private.json", 1],
	["RS256", "RS256-jwk-private.json", 16],
	["ES256", "ES256-jwk-private.json", 1],
	["ES256", "ES256-jwk-private.json", 16],
	["EdDSA", "EdDSA-jwk-private.json", 1],
	["EdDSA", "EdDSA-jwk-private.json", 16],
	["HS256", "HS256-jwk.json", 1],
];

const sources = {
	identity: {
		method: "key" as const,
		clientId: "012345AZERTY!",
		tokenClaims: {},
		consumer,
	},
	service,
	bindingClaims: [],
	lookup: () => undefined,
};

/** A side whose work is done when the function returns. */
const synchronous =
	(run: () => unknown): Side =>
	(done) => {
		run();
		done();
	};

const promised =
	(run: () => Promise<unknown>): Side =>
	(done) => {
		run().then(() => done(), done);
	};

async function sidesOf(
	alg: Algorithm,
	keyFile: string,
): Promise<Record<string, Side>> {
	const { settings, key: signingKey } = parseConfig({
		private_jwk: testKey(keyFile),
	});
	const { jku, token_type: typ, expires_in } = settings;
	const ours = async () => {
		const unsigned = issue(settings, makeClaims(settings, sources));
		const signature = await signingKey.sign(unsigned.signingInput);
		return unsigned.sign(signature.toString("base64url")).token;
	};

	const claims = Object.fromEntries(makeClaims(settings, sources).claims);
	const header = { typ, alg, kid: signingKey.kid, jku };
	const jwk = JSON.parse(testKey(keyFile));
	const isHmac = jwk.kty === "oct";
	const key = isHmac
		? createSecretKey(jwk.k, "base64url")
		: createPrivateKey({ key: jwk, format: "jwk" });
	const jose = () =>
		new SignJWT({ ...claims })
			.setProtectedHeader(header)
			.setIssuedAt()
			.setExpirationTime(`${expires_in}s`)
			.setJti(randomUUID())
			.sign(key);
	const fastJwt = createSigner({
		algorithm: alg,
		key: isHmac ? key.export() : privateJwkToPem(jwk),
		header,
		expiresIn: expires_in * 1000,
	});

	const token = await ours();
	const bytes = Buffer.from(token.slice(0, token.lastIndexOf(".")));
	const hash = alg === "EdDSA" ? null : "sha256";
	const rawHmac = () => createHmac("sha256", key).update(bytes).digest();
	const raw: Record<string, Side> = isHmac
		? { raw: synchronous(rawHmac) }
		: {
				raw: (done) => sign(hash, bytes, key, done),
				"raw, main thread": synchronous(() => sign(hash, bytes, key)),
			};
	return {
		...raw,
		ours: promised(ours),
		jose: promised(jose),
		"fast-jwt": synchronous(() => fastJwt({ ...claims, jti: randomUUID() })),
	};
}

/** Tokens a second, and CPU per token in microseconds, of all threads. */
async function speed(side: Side, concurrency: number) {
	// Of some 100 µs at least: mitata would repeat a shorter one 4096 times.
	const batch = 8 * Math.max(8, concurrency);
	let tokens = 0;
	const signBatch = () =>
		new Promise<void>((resolve, reject) => {
			let started = 0;
			let done = 0;
			const next = (error?: unknown) => {
				if (error) return reject(error);
				done += 1;
				if (done === batch) resolve();
				begin();
			};
			const begin = () => {
				if (started === batch) return;
				started += 1;
				side(next);
			};
			for (let i = 0; i < concurrency; i++) begin();
		});
	const before = process.cpuUsage();
	const { avg } = await measure(
		() => {
			tokens += batch;
			return signBatch();
		},
		{ min_cpu_time: amount(0.2) * 1e9, gc: false },
	);
	const { user, system } = process.cpuUsage(before);
	return { tokens: (batch / avg) * 1e9, cpu: (user + system) / tokens };
}

/** The columns of the tables; `raw` is what the others are compared with. */
const SIDES = ["raw", "raw, main thread", "ours", "jose", "fast-jwt"];

report("signing", async () => {
	const speeds: string[][] = [];
	const costs: string[][] = [];
	for (const [alg, keyFile, concurrency] of CASES) {
		const sides = Object.entries(await sidesOf(alg, keyFile));
		const measured = await inTurns(sides, ([, side]) =>
			speed(side, concurrency),
		);
		const rounds = new Map(
			[...measured].map(([[name], figures]) => [name, figures]),
		);
		const column = (name: string, what: "tokens" | "cpu") =>
			(rounds.get(name) ?? []).map((round) => round[what]);
		const cells = (what: "tokens" | "cpu", digits: number) =>
			SIDES.map((name) =>
				rounds.has(name) ? spread(column(name, what), digits) : "",
			);
		const toRaw = ratios(column("ours", "tokens"), column("raw", "tokens"));
		const label = `${alg}, ${concurrency} at a time`;
		speeds.push([label, ...cells("tokens", 0), spread(toRaw, 2)]);
		costs.push([label, ...cells("cpu", 1)]);
	}
	return [
		table(["tokens/s", ...SIDES, "ours to raw"], speeds),
		table(["CPU, µs/token", ...SIDES], costs),
	];
});
