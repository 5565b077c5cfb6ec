import type { JWK } from "jose";
import { ROTATION_MARKS } from "../jwk/public-members";

/*
 * A rotation in three steps, each of which leaves every token verifiable. What was done when stands in
 * the public JWKs themselves, so that it goes wherever the configuration goes; verifiers ignore members
 * they do not know (RFC 7517 §4). `ROTATION_MARKS` are the names of these members.
 */

/** What is written into a published JWK about its rotation; seconds since the epoch. */
export type RotationTimes = {
	[name in (typeof ROTATION_MARKS)[keyof typeof ROTATION_MARKS]]?: number;
};

const { published, activated, retirable } = ROTATION_MARKS;

/** A published JWK with its marks, if it has any. */
export type PublishedJwk = JWK & RotationTimes;

/** Version 0.2.0 wrote its marks under these names, which other tools write too. */
const OLD_MARKS = { iat: published, nbf: activated, exp: retirable };

/** Whether a key has times that may be marks of version 0.2.0, and none of ours. */
export function mayHaveOldMarks(jwk: PublishedJwk): boolean {
	return (
		Object.keys(OLD_MARKS).some((name) => Object.hasOwn(jwk, name)) &&
		!Object.values(ROTATION_MARKS).some((name) => Object.hasOwn(jwk, name))
	);
}

/** A key of version 0.2.0 with its marks under their names of today. */
export function withOldMarks(jwk: PublishedJwk): PublishedJwk {
	if (!mayHaveOldMarks(jwk)) return jwk;
	return Object.fromEntries(
		Object.entries(jwk).map(([name, value]) => [
			Object.hasOwn(OLD_MARKS, name) && typeof value === "number"
				? OLD_MARKS[name as keyof typeof OLD_MARKS]
				: name,
			value,
		]),
	) as PublishedJwk;
}

/** What the steps wait for. */
export interface Delays {
	/** How long backends may keep a JWK Set, in seconds. */
	cacheMaxAge: number;
	/** Time for a deployment to reach all data planes, in seconds. */
	margin: number;
}

/** Whether a step is allowed; when not, when it will be, unless nobody can know. */
export type Permission =
	| { allowed: true }
	| { allowed: false; allowedAt: number | undefined };

const ALLOWED: Permission = { allowed: true };

/** Whether a key has been published by this tool and not been activated. */
export function isWaiting(times: RotationTimes): boolean {
	return (
		times[published] !== undefined &&
		times[activated] === undefined &&
		times[retirable] === undefined
	);
}

/**
 * When a key that is published now may be activated: when all backends have it.
 *
 * @param now seconds since the epoch
 */
export function activationTime(
	now: number,
	{ cacheMaxAge, margin }: Delays,
): number {
	return Math.ceil(now) + cacheMaxAge + margin;
}

/**
 * Whether a published key may begin to sign.
 *
 * @param now seconds since the epoch
 */
export function mayActivate(
	times: RotationTimes,
	delays: Delays,
	now: number,
): Permission {
	const since = times[published];
	if (since === undefined)
		// A key that signed before this tool came is known to all backends: going back to it is allowed.
		return times[retirable] === undefined
			? { allowed: false, allowedAt: undefined }
			: ALLOWED;
	const allowedAt = activationTime(since, delays);
	return now < allowedAt ? { allowed: false, allowedAt } : ALLOWED;
}

/**
 * When the last token of a key that is replaced now has expired, on every data plane.
 *
 * @param now seconds since the epoch
 * @param lifetimes of the tokens it signs, in seconds; at least one
 */
export function retirementTime(
	now: number,
	lifetimes: number[],
	{ margin }: Pick<Delays, "margin">,
): number {
	return Math.ceil(now + Math.max(...lifetimes) + margin);
}

/**
 * Whether a published key may leave the JWK Set.
 *
 * @param now seconds since the epoch
 */
export function mayRetire(times: RotationTimes, now: number): Permission {
	const allowedAt = times[retirable];
	return allowedAt !== undefined && now >= allowedAt
		? ALLOWED
		: { allowed: false, allowedAt };
}
