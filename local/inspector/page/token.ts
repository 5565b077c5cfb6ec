import { base64url } from "jose";

/** A JWT in compact serialization (RFC 7515 §7.1), read but not verified. */
export interface DecodedToken {
	/** Header, claims and signature, as they are in the token. */
	parts: [string, string, string];
	header: Record<string, unknown>;
	claims: Record<string, unknown>;
}

/** The text is not a JWT; the message says what is wrong with it. */
export class NotAJwt extends Error {}

/**
 * Reads header and claims, without verifying anything.
 *
 * @throws {NotAJwt} naming the part at fault
 */
export function decodeToken(token: string): DecodedToken {
	const [header, claims, signature, ...rest] = token.split(".");
	if (header === undefined || claims === undefined || signature === undefined)
		throw new NotAJwt(
			`A JWT has three parts with dots between them; this has ${token.split(".").length}.`,
		);
	if (rest.length)
		throw new NotAJwt(
			rest.length === 2
				? "It has five parts: an encrypted token (JWE), which only its recipient can read."
				: `A JWT has three parts; this has ${rest.length + 3}.`,
		);
	return {
		parts: [header, claims, signature],
		header: decodePart(header, "header"),
		claims: decodePart(claims, "claims"),
	};
}

function decodePart(part: string, name: string): Record<string, unknown> {
	let text: string;
	try {
		text = new TextDecoder("utf-8", { fatal: true }).decode(
			base64url.decode(part),
		);
	} catch {
		throw new NotAJwt(`Its part “${name}” is not text in base64url.`);
	}
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw new NotAJwt(`Its part “${name}” is not JSON.`);
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new NotAJwt(`Its part “${name}” is not a JSON object.`);
	return value as Record<string, unknown>;
}

/** The token in what somebody pasted: without white space, quotes and a scheme such as `Bearer`. */
export function pastedToken(text: string): string {
	return text
		.trim()
		.replace(/^("|')(.*)\1$/s, "$2")
		.replace(/^(authorization:|x-custom-jwt:)/i, "")
		.trim()
		.replace(/^bearer\s+/i, "")
		.replace(/\s+/g, "");
}

/** The same header and signature around another `client_id`: what a forger would try first. */
export function tamperedToken({ parts, claims }: DecodedToken): string {
	const [header, , signature] = parts;
	const forged = { ...claims, client_id: `${claims.client_id}, tampered` };
	return [header, base64url.encode(JSON.stringify(forged)), signature].join(
		".",
	);
}

const ORIGINS: Record<string, string | undefined> = {
	iss: "configuration",
	aud: "configuration",
	exp: "configuration",
	iat: "plugin",
	jti: "plugin",
	act: "consumer",
	// As the examples set them.
	auth_method: "configuration",
	idp: "configuration",
};

/**
 * Where a claim of a gateway's token came from, by the rules of the plugin: a token does not say it.
 * Of an incoming token all claims are copied, so the one that became `client_id` is still there under
 * its own name. When no claim is that one, both answers are given.
 *
 * @param name the claim
 * @param claims all claims of the token, whose signature was verified
 */
export function claimOrigin(
	name: string,
	claims: Record<string, unknown>,
): string {
	const origin = ORIGINS[name];
	if (origin) return origin;
	const others = Object.keys(claims).filter(
		(other) => other !== "client_id" && !ORIGINS[other],
	);
	if (others.some((other) => claims[other] === claims.client_id))
		return "incoming token";
	if (!others.length) return "credential";
	return name === "client_id"
		? "credential or incoming token"
		: "configuration or incoming token";
}

const TIMES: Record<string, { past: string; future: string } | undefined> = {
	iat: { past: "issued", future: "issued" },
	exp: { past: "expired", future: "expires" },
	nbf: { past: "valid since", future: "valid" },
	auth_time: { past: "authenticated", future: "authenticated" },
};

/**
 * A claim's time as a person says it: “expires in 29 min 57 s”, “issued 3 s ago”.
 *
 * @param value value of the claim: seconds since the epoch (NumericDate, RFC 7519 §2)
 * @param now seconds since the epoch
 * @returns undefined when the claim is no time
 */
export function timeInWords(
	name: string,
	value: unknown,
	now: number,
): string | undefined {
	const words = TIMES[name];
	if (!words) return undefined;
	if (dateOf(value) === undefined) return "not a time in seconds";
	const seconds = Math.round(Number(value) - now);
	return seconds > 0
		? `${words.future} in ${duration(seconds)}`
		: `${words.past} ${duration(-seconds)} ago`;
}

/** The date of a NumericDate; undefined when the value is none. */
export function dateOf(value: unknown): Date | undefined {
	if (typeof value !== "number") return undefined;
	const date = new Date(value * 1000);
	return Number.isNaN(date.getTime()) ? undefined : date;
}

const UNITS: [name: string, seconds: number][] = [
	["y", 365 * 86400],
	["d", 86400],
	["h", 3600],
	["min", 60],
	["s", 1],
];

/** A time span in its two largest units. */
function duration(seconds: number): string {
	const first = UNITS.findIndex(([, size]) => seconds >= size);
	if (first < 0) return "0 s";
	let left = seconds;
	const words: string[] = [];
	for (const [name, size] of UNITS.slice(first, first + 2)) {
		const count = Math.floor(left / size);
		left -= count * size;
		if (count) words.push(`${count} ${name}`);
	}
	return words.join(" ");
}

/**
 * A text from outside as it may be shown. Characters that cannot be seen, or that turn the order of
 * the text around them, become escapes: who chose the text must not choose what the reader sees.
 */
export function visible(text: string): string {
	return text.replace(
		/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu,
		(character) =>
			`\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`,
	);
}
