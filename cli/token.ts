import { readInput } from "../declarative/read-file";
import { dateOf, iso, timeInWords } from "../jwk/time";
import { type DecodedToken, decodeToken, NotAJwt, tokenIn } from "../jwk/token";
import type { Expectations } from "../jwk/verify";
import { BadUse, networkFault } from "./files";
import { json } from "./keys";
import { readJwks } from "./named-jwk";

/** What a token says of itself; nothing of it is verified. */
export interface Described extends Pick<DecodedToken, "header" | "claims"> {
	/** What its points in time mean, by claim: `issued 3 min ago (2026-…)`. */
	times: Record<string, string>;
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
	return tokenIn(argument === "-" ? readInput("-") : argument);
}

/**
 * Reads a token without verifying it.
 *
 * @param now seconds since the epoch
 * @throws {BadUse} when it is none
 */
export function describe(token: string, now: number): Described {
	try {
		const { header, claims } = decodeToken(token);
		return { header, claims, times: times(claims, now) };
	} catch (error) {
		if (error instanceof NotAJwt) throw new BadUse(error.message);
		throw error;
	}
}

function times(
	claims: DecodedToken["claims"],
	now: number,
): Record<string, string> {
	return Object.fromEntries(
		Object.entries(claims).flatMap(([name, value]) => {
			const words = timeInWords(name, value, now);
			if (!words) return [];
			return [
				[name, dateOf(value) ? `${words} (${iso(Number(value))})` : words],
			];
		}),
	);
}

/**
 * Gets a JWK Set, or keys of PEM.
 *
 * @param source a file, `-` for standard input, or an http or https URL that the user trusts
 * @returns the keys it has, and the faults of what is no key in it
 * @throws {BadUse} saying why it cannot be had, or that it is no JWK Set
 */
export async function loadJwks(
	source: string,
): Promise<Pick<Expectations, "keys" | "faults" | "isUnnamed">> {
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

/** A token for a terminal. */
export function inLines({ header, claims, times }: Described): string {
	return [
		`header ${json(header)}claims ${json(claims)}`,
		...Object.entries(times).map(([claim, text]) => `${claim}  ${text}\n`),
	].join("");
}
