import { decode, encode } from "jose/base64url";
import { JwkError } from "./error";
import { isBase64url, KEY_TYPES } from "./members";

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

/** What is wrong with members in another form than `canonical` gives them. */
export function formFault({ changed }: Canonical): string {
	return `${changed.join(", ")} must have the octets that the key demands (RFC 7518 §6)`;
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

function withOctets(text: string, octets: number): string {
	const bytes = decode(text);
	const start = bytes.findIndex((byte) => byte !== 0);
	const significant = start < 0 ? new Uint8Array() : bytes.subarray(start);
	const padded = new Uint8Array(Math.max(octets, significant.length));
	padded.set(significant, padded.length - significant.length);
	return encode(padded);
}
