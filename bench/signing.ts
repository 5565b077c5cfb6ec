/**
 * How near does our whole token path, from what is known of a request to the compact JWS, come to what node:crypto can
 * sign at most? And jose, on the same claims and key.
 */
import {
	createHmac,
	createPrivateKey,
	createSecretKey,
	randomUUID,
	sign,
} from "node:crypto";
import { promisify } from "node:util";
import { SignJWT } from "jose";
import { makeClaims } from "../core/claims";
import { issue } from "../core/token";
import { parseConfig } from "../plugins/x-custom-jwt/config";
import { amount, inTurns, ratio, report, spread, table } from "./report";
import { withKey } from "./servers";

/** Signs one token, or as many bytes. */
type Side = () => unknown;

/** Algorithm, and how many tokens are signed at a time. */
const CASES: [alg: string, concurrency: number][] = [
	["RS256", 1],
	["RS256", 16],
	["ES256", 1],
	["ES256", 16],
	["EdDSA", 1],
	["EdDSA", 16],
	["HS256", 1],
];

const sources = {
	identity: {
		method: "key" as const,
		clientId: "012345AZERTY!",
		tokenClaims: {},
		consumer: { id: randomUUID(), username: "bench" },
	},
	service: { id: "bench", protocol: "http", host: "bench", port: 9000 },
	bindingClaims: [],
	lookup: () => undefined,
};

const signOnPool = promisify(sign);

async function sidesOf(alg: string): Promise<Record<string, Side>> {
	const { private_jwk } = withKey(alg);
	const { settings, key: signingKey } = parseConfig({ private_jwk });
	const { jku, token_type: typ, expires_in } = settings;
	const ours = async () => {
		const unsigned = issue(settings, makeClaims(settings, sources));
		const signature = await signingKey.sign(unsigned.signingInput);
		return unsigned.sign(signature.toString("base64url")).token;
	};
	// As a caller would have them: V8 is slow to copy an object of `Object.fromEntries`.
	const named = Object.fromEntries(makeClaims(settings, sources).claims);
	const claims = JSON.parse(JSON.stringify(named));
	const jwk = JSON.parse(private_jwk);
	const isHmac = alg === "HS256";
	const key = isHmac
		? createSecretKey(jwk.k, "base64url")
		: createPrivateKey({ key: jwk, format: "jwk" });
	const jose = () =>
		new SignJWT({ ...claims })
			.setProtectedHeader({ typ, alg, kid: signingKey.kid, jku })
			.setIssuedAt()
			.setExpirationTime(`${expires_in}s`)
			.setJti(randomUUID())
			.sign(key);
	const token = await ours();
	const bytes = Buffer.from(token.slice(0, token.lastIndexOf(".")));
	const hash = alg === "EdDSA" ? null : "sha256";
	const onMain = isHmac
		? () => createHmac("sha256", key).update(bytes).digest()
		: () => sign(hash, bytes, key);
	const onPool = isHmac ? onMain : () => signOnPool(hash, bytes, key);
	return { "raw, pool": onPool, "raw, main thread": onMain, ours, jose };
}

/** Tokens a second, and CPU per token in microseconds, of all threads. */
async function speed(side: Side, concurrency: number) {
	const before = process.cpuUsage();
	const start = performance.now();
	const end = start + amount(200);
	let tokens = 0;
	const loop = async () => {
		// The clock is read once for many: some sides take less than it does.
		while (performance.now() < end)
			for (let i = 0; i < 16; i++, tokens++) {
				const signed = side();
				if (signed instanceof Promise) await signed;
			}
	};
	await Promise.all(Array.from({ length: concurrency }, loop));
	const { user, system } = process.cpuUsage(before);
	const seconds = (performance.now() - start) / 1000;
	return { tokens: tokens / seconds, cpu: (user + system) / tokens };
}

report("signing", async () => {
	const speeds: string[][] = [];
	const costs: string[][] = [];
	let names: string[] = [];
	for (const [alg, concurrency] of CASES) {
		const sides = await sidesOf(alg);
		names = Object.keys(sides);
		const run = (side: Side) => speed(side, concurrency);
		for (const side of Object.values(sides)) await run(side);
		const rounds = await inTurns(Object.values(sides), run);
		const tokens = rounds.map((runs) => runs.map((one) => one.tokens));
		const cpu = rounds.map((runs) => runs.map((one) => one.cpu));
		const label = `${alg}, ${concurrency} at a time`;
		const toRaw = ratio(tokens[2] ?? [], tokens[0] ?? []);
		speeds.push([label, ...tokens.map((one) => spread(one)), toRaw]);
		costs.push([label, ...cpu.map((one) => spread(one, 1))]);
	}
	return [
		table(["tokens/s", ...names, "ours to raw, pool"], speeds),
		table(["CPU, µs/token", ...names], costs),
	];
});
