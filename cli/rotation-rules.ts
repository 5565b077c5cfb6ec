/*
 * A rotation in three steps, each of which leaves every token verifiable. What was done when stands in
 * the public JWKs themselves, so that it goes wherever the configuration goes; verifiers ignore members
 * they do not know (RFC 7517 §4):
 *
 *   iat  published: when the key joined the JWK Set
 *   nbf  activated: when it began to sign
 *   exp  replaced: when the last token it signed has expired, and it may leave
 */

/** What is written into a published JWK about its rotation; seconds since the epoch. */
export interface RotationTimes {
	iat?: number;
	nbf?: number;
	exp?: number;
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
export function isWaiting({ iat, nbf, exp }: RotationTimes): boolean {
	return iat !== undefined && nbf === undefined && exp === undefined;
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
	{ iat, exp }: RotationTimes,
	delays: Delays,
	now: number,
): Permission {
	if (iat === undefined)
		// A key that signed before this tool came is known to all backends: going back to it is allowed.
		return exp === undefined
			? { allowed: false, allowedAt: undefined }
			: ALLOWED;
	const allowedAt = activationTime(iat, delays);
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
export function mayRetire({ exp }: RotationTimes, now: number): Permission {
	return exp !== undefined && now >= exp
		? ALLOWED
		: { allowed: false, allowedAt: exp };
}
