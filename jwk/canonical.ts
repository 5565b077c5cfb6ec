import { JwkError } from "./error";
import { KEY_TYPES } from "./members";

const { curves: CURVES = {} } = KEY_TYPES.EC;

/** Integers of an RSA key (RFC 7518 §6.3): as few octets as they need. */
const RSA_INTEGERS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

/** Lists that .NET writes even when they are empty. */
const LISTS = ["oth", "x5c", "key_ops"];

/** A JWK in the one form that all libraries take, and that has the one thumbprint of its key. */
export interface Canonical {
	jwk: Record<string, unknown>;
	/** Members whose octets had another length. */
	changed: string[];
}

/**
 * Brings a JWK into canonical form: members without a value left out, integers with the octets that their
 * key demands. Authlib, for one, writes coordinates without leading zero octets.
 *
 * @param value a JWK as parsed, private or public
 * @throws {JwkError} when it is no object
 */
export function canonical(value: unknown): Canonical {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new JwkError("", "must be object");
	const given = Object.entries(value).filter(
		([name, member]) =>
			member !== null &&
			!(LISTS.includes(name) && Array.isArray(member) && !member.length),
	);
	const { kty, crv } = Object.fromEntries(given);
	const changed: string[] = [];
	const members = given.map(([name, member]): [string, unknown] => {
		const octets = octetsOf(kty, crv, name);
		if (octets === undefined || !isBase64url(member)) return [name, member];
		const text = withOctets(member, octets);
		if (text !== member) changed.push(name);
		return [name, text];
	});
	return { jwk: Object.fromEntries(members), changed };
}

/** The octets a member must have at least; undefined when it is no integer. */
function octetsOf(
	kty: unknown,
	crv: unknown,
	member: string,
): number | undefined {
	if (kty === "RSA" && RSA_INTEGERS.includes(member)) return 1;
	if (kty === "EC" && ["x", "y", "d"].includes(member))
		return typeof crv === "string" && Object.hasOwn(CURVES, crv)
			? CURVES[crv]
			: undefined;
	return undefined;
}

function isBase64url(value: unknown): value is string {
	return typeof value === "string" && /^[A-Za-z0-9_-]+$/.test(value);
}

function withOctets(text: string, octets: number): string {
	const bytes = Buffer.from(text, "base64url");
	const start = bytes.findIndex((byte) => byte !== 0);
	const significant = start < 0 ? Buffer.alloc(0) : bytes.subarray(start);
	const padding = Buffer.alloc(Math.max(0, octets - significant.length));
	return Buffer.concat([padding, significant]).toString("base64url");
}
