import {
	createLocalJWKSet,
	errors,
	type JSONWebKeySet,
	type JWTPayload,
	jwtVerify,
} from "jose";
import type { Settings } from "../protocol";
import { decodeToken, NotAJwt, timeInWords } from "./token";

/** What can be said about a token. */
export interface Verdict {
	/** `unknown`: nothing to verify it with. */
	state: "verified" | "invalid" | "unknown";
	/** Whether the signature is the gateway's; a token can be so and still be invalid. */
	signed: boolean;
	/** In three words or so. */
	headline: string;
	/** What it means, in a sentence. */
	detail: string;
}

/** The JWK Set cannot be had. */
class NoKeySet extends Error {
	constructor(
		readonly headline: string,
		message: string,
	) {
		super(message);
	}
}

const JWKS_TIMEOUT_MS = 5000;

/**
 * Verifies a token as a backend does: signature, issuer, audience and lifetime, with the JWK Set at
 * the pinned URL. The URL in the token's own `jku` is never fetched. Never rejects.
 */
export async function verdictOn(
	token: string,
	{ jwksUrl, expectations }: Settings,
): Promise<Verdict> {
	let keySet: JSONWebKeySet | undefined;
	try {
		decodeToken(token);
		keySet = await fetchKeySet(jwksUrl);
		const { protectedHeader } = await jwtVerify(
			token,
			createLocalJWKSet(keySet),
			expectations,
		);
		const { kid, alg } = protectedHeader;
		return {
			state: "verified",
			signed: true,
			headline: "Verified",
			detail: `The key ${quoted(kid)} of the JWK Set made the signature (${alg}). Issuer, audience and lifetime are as the backend wants them.`,
		};
	} catch (error) {
		return explain(error, token, expectations, keySet);
	}
}

/** The error of a verification in words for somebody who has to repair it. */
function explain(
	error: unknown,
	token: string,
	expected: Settings["expectations"],
	keySet: JSONWebKeySet | undefined,
): Verdict {
	const invalid = (headline: string, detail: string, signed = false) =>
		({ state: "invalid", signed, headline, detail }) as const;

	if (error instanceof NotAJwt) return invalid("Not a JWT", error.message);
	if (error instanceof NoKeySet)
		return {
			state: "unknown",
			signed: false,
			headline: error.headline,
			detail: error.message,
		};
	if (error instanceof errors.JWTExpired)
		return invalid(
			"Expired",
			`The signature is the gateway's, but the token ${timeInWords("exp", error.payload.exp, Date.now() / 1000)}.`,
			true,
		);
	if (error instanceof errors.JWTClaimValidationFailed)
		return invalid(...claimFault(error.claim, error.payload, expected), true);
	const { kid, alg } = decodeToken(token).header;
	if (error instanceof errors.JWKSNoMatchingKey) {
		const named = keySet?.keys.find((key) => key.kid === kid);
		if (named?.alg !== undefined && named.alg !== alg)
			return invalid(
				"Another algorithm",
				`The token says ${quoted(alg)}, but the key ${quoted(kid)} of the JWK Set is for ${quoted(named.alg)}.`,
			);
		const kids = keySet?.keys.map((key) => quoted(key.kid)).join(", ");
		return invalid(
			"No key for this kid",
			`The token names the key ${quoted(kid)} (${alg}); the JWK Set has ${kids || "none"}.`,
		);
	}
	if (error instanceof errors.JWKSMultipleMatchingKeys)
		return invalid(
			"Several keys with this kid",
			`The JWK Set has several keys ${quoted(kid)} for ${quoted(alg)}: verifiers take the first, or refuse the token.`,
		);
	if (error instanceof errors.JWKSInvalid)
		return invalid(
			"JWK Set with a fault",
			"A member of the JWK Set is no JWK: verifiers should skip it (RFC 7517 §5), but some refuse the whole set.",
		);
	if (error instanceof errors.JWSSignatureVerificationFailed)
		return invalid(
			"Signature not valid",
			`The key ${quoted(kid)} of the JWK Set did not make this signature for this header and these claims: they were changed, or somebody else signed them.`,
		);
	if (error instanceof errors.JOSEAlgNotAllowed)
		return invalid(
			"Algorithm not accepted",
			`The token says ${quoted(alg)}; the backend takes ${expected.algorithms.join(", ")}.`,
		);
	return invalid("Not verified", (error as Error).message);
}

/** Headline and detail for a claim that is not as expected. */
function claimFault(
	claim: string,
	claims: JWTPayload,
	expected: Settings["expectations"],
): [headline: string, detail: string] {
	const but = "The signature is the gateway's, but";
	const now = Date.now() / 1000;
	if (claims[claim] === undefined)
		return [
			`No claim ${claim}`,
			`${but} the backend needs the claim ${claim}.`,
		];
	if (claim === "aud")
		return [
			"Wrong audience",
			`${but} the token is for ${quoted(claims.aud)}, and this backend is ${quoted(expected.audience)}.`,
		];
	if (claim === "iss")
		return [
			"Wrong issuer",
			`${but} the token's issuer is ${quoted(claims.iss)}, and this backend takes ${quoted(expected.issuer)}.`,
		];
	if (claim === "nbf")
		return [
			"Not valid yet",
			`${but} it is ${timeInWords("nbf", claims.nbf, now)}.`,
		];
	return [
		`Claim ${claim} not valid`,
		`${but} its claim ${claim} is not valid.`,
	];
}

/**
 * Fetches the JWK Set across origins, as any web page would.
 *
 * @throws {NoKeySet} saying what to repair
 */
async function fetchKeySet(url: string): Promise<JSONWebKeySet> {
	const ask = (mode: RequestMode) =>
		fetch(url, {
			mode,
			credentials: "omit",
			cache: "no-store",
			signal: AbortSignal.timeout(JWKS_TIMEOUT_MS),
		});
	let response: Response;
	try {
		response = await ask("cors");
	} catch {
		// Browsers do not tell these apart. Without CORS an answer may arrive, but not be read.
		throw await ask("no-cors").then(
			() =>
				new NoKeySet(
					"No CORS header",
					`The gateway answers at ${url}, but without the header Access-Control-Allow-Origin, so no web page may read the JWK Set. Is the route there, and the cors plugin on it?`,
				),
			() =>
				new NoKeySet(
					"JWKS route down",
					`Nothing answers at ${url}. Does the gateway run?`,
				),
		);
	}
	if (!response.ok)
		throw new NoKeySet(
			"No JWK Set",
			`${url} answers ${response.status} instead of the JWK Set.`,
		);
	const body = await response.json().catch(() => undefined);
	if (!Array.isArray(body?.keys))
		throw new NoKeySet(
			"No JWK Set",
			`What ${url} answers is no JWK Set: it has no member “keys”.`,
		);
	return body;
}

function quoted(value: unknown): string {
	return value === undefined ? "without a name" : `“${value}”`;
}
