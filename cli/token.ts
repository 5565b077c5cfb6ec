import {
	decodeJwt,
	decodeProtectedHeader,
	errors,
	importJWK,
	type JWK,
	type JWTPayload,
	jwtVerify,
} from "jose";
import { readInput } from "../declarative/read-file";
import { algorithmsOf, PUBLIC_KEY_ALGORITHMS } from "../jwk/algorithms";
import type { JwkError } from "../jwk/error";
import { isPrivate, USES } from "../jwk/members";
import { printable, quoted } from "../jwk/printable";
import { nameOf } from "../jwk/public-half";
import { BadUse, networkFault } from "./files";
import { json } from "./keys";
import { publicHalf, readJwks } from "./named-jwk";
import { when } from "./time";

/** What a token says of itself; nothing of it is verified. */
export interface Decoded {
	/** The protected header (RFC 7515 §4). */
	header: Record<string, unknown>;
	/** The claims set (RFC 7519 §4). */
	claims: JWTPayload;
	/** What its points in time mean, by claim: `issued 3 minutes ago (2026-…)`. */
	times: Record<string, string>;
}

/** What came out of verifying a token. */
export interface Verdict {
	verified: boolean;
	/** Why it is not verified. */
	reason?: string;
	/** The key that verifies the signature, whether or not the claims are as wanted. */
	signedBy?: string;
	/** What else the user should know. */
	notes: string[];
}

/** What a token is verified with. */
export interface Expectations {
	keys: JWK[];
	/** What is wrong with other members of the JWK Set, which are no keys. */
	faults?: JwkError[];
	/** Accepted claim `iss`; any when absent. */
	issuer?: string;
	/** Accepted claim `aud`; any when absent. */
	audience?: string;
	/** Accepted JWS algorithms, of `PUBLIC_KEY_ALGORITHMS`. */
	algorithms: string[];
	/** Seconds since the epoch. */
	now: number;
}

const FETCH_TIMEOUT = 10_000; // milliseconds

/** Far more than a JWK Set has. */
const MAX_JWKS_BYTES = 1024 * 1024;

/**
 * Takes a token as users have it.
 *
 * @param argument the token, with or without `Bearer ` before it, perhaps broken into lines as a
 *   terminal shows it; `-` is standard input
 */
export function readToken(argument: string): string {
	const text = argument === "-" ? readInput("-") : argument;
	return text
		.trim()
		.replace(/^bearer\s+/i, "")
		.replace(/\s+/g, "");
}

/**
 * Decodes a JWT in JWS Compact Serialization (RFC 7515 §3.1) without verifying it.
 *
 * @param now seconds since the epoch
 * @throws {BadUse} when it is none
 */
export function decodeToken(token: string, now: number): Decoded {
	const parts = token.split(".").length;
	if (parts === 5)
		throw new BadUse("the token is encrypted (JWE); only signed ones are read");
	if (parts !== 3)
		throw new BadUse(
			`not a JWT: three parts with a dot between them are expected, there are ${parts}`,
		);
	try {
		const header = { ...decodeProtectedHeader(token) };
		const claims = decodeJwt(token);
		return { header, claims, times: times(claims, now) };
	} catch {
		throw new BadUse(
			"not a JWT: header and claims must be JSON objects in base64url; it may have been cut",
		);
	}
}

function times(claims: JWTPayload, now: number): Record<string, string> {
	const { iat, nbf, exp } = claims;
	return Object.fromEntries(
		Object.entries({
			iat: sentence(iat, now, "issued", "issued"),
			nbf: sentence(nbf, now, "valid since", "valid only"),
			exp: sentence(exp, now, "expired", "expires"),
		}).flatMap(([claim, text]) => (text ? [[claim, text]] : [])),
	);
}

function sentence(time: unknown, now: number, past: string, future: string) {
	if (time === undefined) return undefined;
	if (typeof time !== "number") return "not a number";
	return `${time <= now ? past : future} ${when(time, now)}`;
}

/**
 * Gets a JWK Set.
 *
 * @param source a file, or an http or https URL that the user trusts
 * @returns the keys it has, and the faults of what is no key in it
 * @throws {BadUse} saying why it cannot be had, or that it is no JWK Set
 */
export async function loadJwks(
	source: string,
): Promise<Pick<Expectations, "keys" | "faults">> {
	if (!/^https?:\/\//i.test(source)) return readJwks(readInput(source), source);
	if (!URL.canParse(source)) throw new BadUse("--jwks: not a URL");
	const { origin, pathname, username, password } = new URL(source);
	// Without the query, which may hold an API key.
	const name = `${origin}${pathname}`;
	if (username || password)
		throw new BadUse(`${name}: no user name or password may be in the URL`);
	return readJwks(await download(source, name), name);
}

async function download(url: string, name: string): Promise<string> {
	let response: Response;
	try {
		response = await fetch(url, {
			// Another server than the one that was named is not asked.
			redirect: "manual",
			signal: AbortSignal.timeout(FETCH_TIMEOUT),
		});
		if (response.status === 200) return await readBody(response, name);
	} catch (error) {
		if (error instanceof BadUse) throw error;
		throw new BadUse(`${name} cannot be reached: ${networkFault(error)}`);
	}
	throw new BadUse(`${name} answers ${response.status}; 200 is expected`);
}

async function readBody({ body }: Response, name: string): Promise<string> {
	const chunks: Uint8Array[] = [];
	let size = 0;
	for await (const chunk of body ?? []) {
		size += chunk.length;
		if (size > MAX_JWKS_BYTES)
			throw new BadUse(`${name} answers more than ${MAX_JWKS_BYTES} bytes`);
		chunks.push(chunk);
	}
	return new TextDecoder().decode(Buffer.concat(chunks));
}

/**
 * Verifies a token as a backend should: with keys the user named, never with those at the URL the token
 * names. Only public keys verify, so `none` and HMAC algorithms never do. Of several keys with the token's
 * `kid` each is tried.
 *
 * @param token JWS Compact Serialization
 */
export async function verifyToken(
	token: string,
	expectations: Expectations,
): Promise<Verdict> {
	const { keys, faults = [], algorithms, now } = expectations;
	const notes = faults.map(({ message }) => `not used: ${message}`);
	const no = (reason: string, signedBy?: string): Verdict => ({
		verified: false,
		reason,
		signedBy,
		notes,
	});
	let decoded: Decoded;
	try {
		decoded = decodeToken(token, now);
	} catch (error) {
		if (error instanceof BadUse) return no(error.message);
		throw error;
	}
	const { alg, kid } = decoded.header;
	const usable = usableKeys(keys, notes);
	notes.push(...sharedKids(usable));
	const refusal = refuseAlgorithm(alg, algorithms);
	if (refusal) return no(refusal);
	const named = usable.filter((key) => kid === undefined || key.kid === kid);
	if (!named[0]) return no(noSuchKey(kid, usable));
	const fitting = named.filter((key) => fits(key, String(alg)));
	if (!fitting[0])
		return no(`${nameOf(named[0])} is not for the token's alg ${quoted(alg)}`);

	let reason = "";
	for (const key of fitting) {
		const outcome = await verifyWith(token, key, String(alg), expectations);
		if (!outcome) return { verified: true, signedBy: nameOf(key), notes };
		if (outcome.signature) return no(outcome.reason, nameOf(key));
		reason = outcome.reason;
	}
	return no(reason);
}

/** Public halves of the keys that can verify; what becomes of the others is said. */
function usableKeys(keys: JWK[], notes: string[]): JWK[] {
	return keys.flatMap((key) => {
		if (key.kty === "oct") {
			notes.push(
				`${nameOf(key)} is symmetric (oct) and was not used: whoever can read it can sign`,
			);
			return [];
		}
		if (isPrivate(key))
			notes.push(
				`${nameOf(key)} has private members; only its public half was used. If it is published, replace it: whoever read it can sign`,
			);
		try {
			return [publicHalf(key, nameOf(key))];
		} catch (error) {
			if (!(error instanceof BadUse)) throw error;
			notes.push(`not used: ${error.message}`);
			return [];
		}
	});
}

/** Says which `kid` does not tell keys apart: other verifiers take the first key, or refuse (RFC 7517 §4.5). */
function sharedKids(keys: JWK[]): string[] {
	const kids = keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid]));
	const shared = kids.filter((kid, index) => kids.indexOf(kid) !== index);
	return [...new Set(shared)].map(
		(kid) =>
			`warning: several keys have the kid ${quoted(kid)}; each was tried, but other verifiers take the first or refuse`,
	);
}

function refuseAlgorithm(alg: unknown, accepted: string[]): string | undefined {
	if (typeof alg !== "string") return "the header has no alg";
	if (alg.toLowerCase() === "none")
		return "alg is none: the token is not signed";
	if (/^HS\d/.test(alg))
		return `alg ${alg} is symmetric: it takes the secret itself, which no JWK Set should have`;
	if (!PUBLIC_KEY_ALGORITHMS.includes(alg))
		return `alg ${quoted(alg)} is not supported`;
	if (!accepted.includes(alg))
		return `alg ${alg} is not accepted; ${accepted.join(", ")} would be`;
	return undefined;
}

function noSuchKey(kid: unknown, keys: JWK[]): string {
	const names = keys.map((key) => quoted(key.kid)).join(", ");
	return kid === undefined || !names
		? "no usable key in the JWK Set"
		: `no key has the token's kid ${quoted(kid)}; there are ${names}`;
}

function fits(key: JWK, alg: string): boolean {
	return (
		(key.alg ?? alg) === alg &&
		USES.some((use) => use === (key.use ?? "sig")) &&
		algorithmsOf(key).some((name) => name === alg)
	);
}

/** Nothing when the token verifies; else why not, and whether it is signed by this key at all. */
async function verifyWith(
	token: string,
	jwk: JWK,
	alg: string,
	{ issuer, audience, now }: Expectations,
): Promise<{ signature: boolean; reason: string } | undefined> {
	const key = await importJWK(jwk, alg);
	const currentDate = new Date(now * 1000);
	try {
		const options = { issuer, audience, currentDate, algorithms: [alg] };
		await jwtVerify(token, key, options);
		return undefined;
	} catch (error) {
		if (!(error instanceof errors.JOSEError)) throw error;
		// jose looks at claims only when the signature has been verified.
		const signature =
			error instanceof errors.JWTClaimValidationFailed ||
			error instanceof errors.JWTExpired;
		return {
			signature,
			reason: explain(error, jwk, { issuer, audience, now }),
		};
	}
}

function explain(
	error: errors.JOSEError,
	key: JWK,
	{ issuer, audience, now }: Pick<Expectations, "issuer" | "audience" | "now">,
): string {
	if (error instanceof errors.JWSSignatureVerificationFailed)
		return `the signature does not match ${nameOf(key)}: another key signed it, or it was changed`;
	if (
		!(error instanceof errors.JWTClaimValidationFailed) &&
		!(error instanceof errors.JWTExpired)
	)
		return error.message;
	const { claim, reason, payload } = error;
	const value = payload[claim];
	if (reason === "check_failed" && typeof value === "number")
		return claim === "exp"
			? `expired ${when(value, now)}`
			: `valid only ${when(value, now)}`;
	if (value === undefined) return `the claim ${claim} is missing`;
	const expected = { iss: issuer, aud: audience }[claim];
	return expected === undefined
		? error.message
		: `the claim ${claim} is ${quoted(value)}; ${quoted(expected)} is expected`;
}

/** A decoded token for a terminal. */
export function describeDecoded({ header, claims, times }: Decoded): string {
	return [
		`header ${printable(json(header))}claims ${printable(json(claims))}`,
		...Object.entries(times).map(([claim, text]) => `${claim}  ${text}\n`),
	].join("");
}
