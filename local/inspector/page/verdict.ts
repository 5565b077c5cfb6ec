import { JwkError } from "../../../jwk/error";
import { readJwks } from "../../../jwk/parse";
import { decodeToken, NotAJwt } from "../../../jwk/token";
import { type Verdict, verifyToken } from "../../../jwk/verify";
import type { Settings } from "../protocol";

/** What can be said about a token on the page. */
export interface Shown {
	/** `unknown`: nothing to verify it with. */
	state: "verified" | "invalid" | "unknown";
	/** Whether the signature is the gateway's; a token can be so and still be invalid. */
	signed: boolean;
	/** In three words or so. */
	headline: string;
	/** What it means, in sentences. */
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
 * the pinned URL. The URL in the token's own `jku` is never fetched. Rejects for faults of the page only.
 */
export async function verdictOn(
	token: string,
	{ jwksUrl, expectations }: Settings,
): Promise<Shown> {
	let keySet: ReturnType<typeof readJwks> = { keys: [], faults: [] };
	try {
		decodeToken(token);
		keySet = await fetchKeySet(jwksUrl);
	} catch (error) {
		if (error instanceof NoKeySet)
			return {
				state: "unknown",
				signed: false,
				headline: error.headline,
				detail: error.message,
			};
		// The verdict says so.
		if (!(error instanceof NotAJwt)) throw error;
	}
	const now = Date.now() / 1000;
	const verdict = await verifyToken(token, { ...expectations, ...keySet, now });
	return {
		state: verdict.verified ? "verified" : "invalid",
		signed: verdict.signedBy !== undefined,
		headline: verdict.headline,
		detail: detailOf(verdict),
	};
}

function detailOf({ verified, signedBy, reason, notes }: Verdict): string {
	const first = verified
		? `the ${signedBy} of the JWK Set made the signature; issuer, audience and lifetime are as the backend wants them`
		: signedBy
			? `the signature is the gateway's, but ${reason}`
			: String(reason);
	return [first, ...notes].map(sentence).join(" ");
}

function sentence(text: string): string {
	return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/**
 * Fetches the JWK Set across origins, as any web page would.
 *
 * @throws {NoKeySet} saying what to repair
 */
async function fetchKeySet(url: string): Promise<ReturnType<typeof readJwks>> {
	const ask = (mode: "cors" | "no-cors") =>
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
	try {
		return readJwks(await response.text());
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
		throw new NoKeySet(
			"No JWK Set",
			`What ${url} answers is no JWK Set: ${error.message}.`,
		);
	}
}
