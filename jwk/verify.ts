/** Whether a token is to be believed, and in which words: for the command line and for a page. */
import { errors, importJWK, type JWK, jwtVerify } from "jose";
import { algorithmsOf, PUBLIC_KEY_ALGORITHMS } from "./algorithms";
import { canonical, formFault } from "./canonical";
import { JwkError } from "./error";
import { isForSignatures, isPrivate } from "./members";
import { printable, quoted } from "./printable";
import { nameOf, publicMembers } from "./public-members";
import { fromNow } from "./time";
import { type DecodedToken, decodeToken, NotAJwt } from "./token";

/** What came out of verifying a token. */
export interface Verdict {
	verified: boolean;
	/** In three words or so, e.g. `Expired`. */
	headline: string;
	/** Why it is not verified: a sentence without its full stop, e.g. `the token expired 2 min ago`. */
	reason?: string;
	/** The key that verifies the signature, whether or not the claims are as wanted. */
	signedBy?: string;
	/** What else the user should know. */
	notes: string[];
}

/** What a token is verified with. */
export interface Expectations {
	/** The JWK Set (RFC 7517 §5). */
	keys: JWK[];
	/** What is wrong with other members of the JWK Set, which are no keys. */
	faults?: JwkError[];
	/** Whether a key without `kid` may have signed tokens that have one, as keys of PEM, which have none. */
	isUnnamed?: boolean;
	/** Accepted claim `iss`, or several; any when absent. */
	issuer?: string | string[];
	/** Accepted claim `aud`, or several; any when absent. */
	audience?: string | string[];
	/** Claims that must be there. */
	requiredClaims?: string[];
	/** Accepted JWS algorithms, of `PUBLIC_KEY_ALGORITHMS`. */
	algorithms: string[];
	/** Seconds since the epoch. */
	now: number;
}

/** The token is not to be believed. */
class Refused extends Error {
	constructor(
		readonly headline: string,
		reason: string,
		readonly signedBy?: string,
	) {
		super(reason);
	}
}

/**
 * Verifies a token as a backend should: with keys the user named, never with those at the URL the token
 * names. Only public keys verify, so `none` and HMAC algorithms never do. Of several keys with the token's
 * `kid` each is tried.
 *
 * @param token JWS Compact Serialization (RFC 7515 §3.1)
 */
export async function verifyToken(
	token: string,
	expectations: Expectations,
): Promise<Verdict> {
	const notes = (expectations.faults ?? []).map(
		({ message }) =>
			`not used: ${message}; some verifiers refuse the whole JWK Set for it`,
	);
	try {
		const signedBy = await verifyingKey(token, expectations, notes);
		return { verified: true, headline: "Verified", signedBy, notes };
	} catch (error) {
		if (error instanceof NotAJwt)
			return {
				verified: false,
				headline: "Not a JWT",
				reason: error.message,
				notes,
			};
		if (!(error instanceof Refused)) throw error;
		const { headline, message: reason, signedBy } = error;
		return { verified: false, headline, reason, signedBy, notes };
	}
}

/** @throws {NotAJwt | Refused} when no key verifies the token, or its claims are not as expected */
async function verifyingKey(
	token: string,
	expectations: Expectations,
	notes: string[],
): Promise<string> {
	const { header } = decodeToken(token);
	const { iat } = decodeToken(token).claims;
	if (typeof iat === "number" && iat > expectations.now)
		notes.push(
			`warning: iat is in the future: the token is issued ${fromNow(iat, expectations.now)}, and backends that check iat reject it`,
		);
	const usable = usableKeys(expectations.keys, notes);
	notes.push(...sharedKids(usable));
	const alg = acceptedAlgorithm(header, expectations.algorithms);
	const fitting = fittingKeys(header, alg, usable, expectations.isUnnamed);
	if (header.kid === undefined && fitting.length > 1)
		notes.push(
			`the token has no kid, and ${fitting.length} keys fit; each was tried, but other verifiers take the first or refuse`,
		);
	let refused: Refused | undefined;
	for (const jwk of fitting) {
		refused = await refusalOf(token, jwk, alg, expectations);
		if (!refused) return nameOf(jwk);
		if (refused.signedBy) break;
	}
	throw refused;
}

/** Public halves of the keys that can verify; what becomes of the others is said. */
function usableKeys(keys: JWK[], notes: string[]): JWK[] {
	return keys.flatMap((key) => {
		const name = nameOf(key);
		if (key.kty === "oct") {
			notes.push(
				`${name} is symmetric (oct) and was not used: whoever can read it can sign`,
			);
			return [];
		}
		if (isPrivate(key))
			notes.push(
				`${name} has private members; only its public half was used. If it is published, replace it: whoever read it can sign`,
			);
		try {
			const half = publicMembers(key);
			const form = canonical(key);
			if (form.changed.some((member) => Object.hasOwn(half, member)))
				notes.push(
					`${name}: ${formFault(form)}, or some libraries refuse the JWK Set`,
				);
			return [half];
		} catch (error) {
			if (!(error instanceof JwkError)) throw error;
			notes.push(`not used: ${name}: ${error.message}`);
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

/** @throws {Refused} */
function acceptedAlgorithm(
	{ alg }: DecodedToken["header"],
	accepted: string[],
): string {
	const no = (reason: string) => new Refused("Algorithm not accepted", reason);
	const wanted = `${accepted.join(", ")} would be`;
	if (typeof alg !== "string") throw no("the header has no alg");
	if (alg.toLowerCase() === "none")
		throw no(`alg is none: the token is not signed; ${wanted} accepted`);
	if (/^HS\d/.test(alg))
		throw no(
			`alg ${quoted(alg)} is symmetric: it takes the secret itself, which no JWK Set should have`,
		);
	if (!PUBLIC_KEY_ALGORITHMS.includes(alg))
		throw no(`alg ${quoted(alg)} is not supported`);
	if (!accepted.includes(alg))
		throw no(`alg ${alg} is not accepted; ${wanted}`);
	return alg;
}

/** @throws {Refused} */
function fittingKeys(
	{ kid }: DecodedToken["header"],
	alg: string,
	keys: JWK[],
	isUnnamed = false,
): JWK[] {
	const named = keys.filter(
		(key) =>
			kid === undefined ||
			key.kid === kid ||
			(isUnnamed && key.kid === undefined),
	);
	if (!named[0]) {
		const names = keys.map((key) => quoted(key.kid)).join(", ");
		throw new Refused(
			"No key for this kid",
			kid === undefined || !names
				? "no usable key in the JWK Set"
				: `no key has the token's kid ${quoted(kid)}; there are ${names}`,
		);
	}
	const fitting = named.filter(
		(key) =>
			(key.alg ?? alg) === alg &&
			isForSignatures(key) &&
			algorithmsOf(key).some((name) => name === alg),
	);
	if (!fitting.length)
		throw new Refused(
			"Another algorithm",
			`${nameOf(named[0])} is not for the token's alg ${quoted(alg)}`,
		);
	return fitting;
}

/** Why the token does not verify with a key; undefined when it does. */
async function refusalOf(
	token: string,
	jwk: JWK,
	alg: string,
	{ now, issuer, audience, requiredClaims }: Expectations,
): Promise<Refused | undefined> {
	let key: Awaited<ReturnType<typeof importJWK>>;
	try {
		key = await importJWK(jwk, alg);
	} catch {
		return new Refused(
			"Key not usable",
			`the members of ${nameOf(jwk)} form no ${jwk.kty} key`,
		);
	}
	try {
		await jwtVerify(token, key, {
			issuer,
			audience,
			requiredClaims,
			currentDate: new Date(now * 1000),
			algorithms: [alg],
		});
		return undefined;
	} catch (error) {
		if (!(error instanceof errors.JOSEError)) throw error;
		if (error instanceof errors.JWSSignatureVerificationFailed)
			return new Refused(
				"Signature not valid",
				`the signature does not match ${nameOf(jwk)}: another key signed it, or it was changed`,
			);
		// jose looks at claims only when the signature has been verified.
		if (
			error instanceof errors.JWTClaimValidationFailed ||
			error instanceof errors.JWTExpired
		)
			return new Refused(
				...claimFault(error, { issuer, audience, now }),
				nameOf(jwk),
			);
		// It may quote the header.
		return new Refused("Not verified", printable(error.message));
	}
}

function claimFault(
	{
		claim,
		reason,
		payload,
	}: errors.JWTClaimValidationFailed | errors.JWTExpired,
	{ issuer, audience, now }: Pick<Expectations, "issuer" | "audience" | "now">,
): [headline: string, reason: string] {
	const value = payload[claim];
	if (value === undefined)
		return [`No claim ${claim}`, `the claim ${claim} is missing`];
	if (reason === "check_failed" && typeof value === "number")
		return claim === "exp"
			? ["Expired", `the token expired ${fromNow(value, now)}`]
			: ["Not valid yet", `the token is valid only ${fromNow(value, now)}`];
	const is = `the claim ${claim} is ${quoted(value)}`;
	if (claim === "iss")
		return ["Wrong issuer", `${is}; ${quoted(issuer)} is expected`];
	if (claim === "aud")
		return ["Wrong audience", `${is}; ${quoted(audience)} is expected`];
	return [`Claim ${claim} not valid`, `${is}, which is not valid`];
}
