/** Which tokens may be given again, and for how long. */
import type { ConfigFields } from "../schema/fields";
import { fieldsVary, type Varies } from "../schema/varies";
import type { TokenContent } from "./claims";
import { isSelfContained } from "./identity";
import { CONSUMER, CREDENTIAL, type Facts } from "./questions";
import type { Scope, Settings } from "./settings";
import { findVariable } from "./variables";

/** When a token may be given again. All times are in milliseconds since the epoch. */
export interface Life {
	/** When it was issued, a whole second. */
	issuedAt: number;
	/** From when on it is not given any more. */
	until: number;
	/** When its time is nearly over: the next one is then signed while it is given. */
	nextDue: number;
}

/** A token must not be given to a backend in its last fifth. */
const USABLE_LIFE = 0.8;

/**
 * When a token issued now may be given again; undefined when it may not.
 *
 * @param reuseFor how long at most, in seconds
 * @param exp when it expires, in seconds since the epoch
 * @param chance from 0 up to 1: callers that came together do not come back for new tokens together
 */
export function lifeOf(
	reuseFor: number,
	exp: number,
	now: number,
	chance: number,
): Life | undefined {
	// Tokens count whole seconds.
	const issuedAt = Math.floor(now / 1000);
	const usableUntil = (issuedAt + USABLE_LIFE * (exp - issuedAt)) * 1000;
	const time = Math.floor(Math.min(reuseFor * 1000, usableUntil - now));
	if (time < 1) return undefined;
	return {
		issuedAt: issuedAt * 1000,
		until: now + time,
		nextDue: now + time * (0.75 + 0.2 * chance),
	};
}

/**
 * Whether a token may be given. The clock may have been set back: backends refuse a token of the future, which would
 * live too long besides.
 */
export function isUsable({ issuedAt, until }: Life, now: number): boolean {
	return issuedAt <= now && now < until;
}

/**
 * The key of the token that follows from the credential and the consumer alone, so that Kong is asked nothing else;
 * undefined when it must not be reused so.
 */
export function credentialKey(
	{ reusesByCredential }: Pick<Settings, "reusesByCredential">,
	facts: Facts,
): string | undefined {
	if (!reusesByCredential) return undefined;
	const credential = facts.mark(CREDENTIAL);
	// Another plugin may have replaced the consumer.
	return credential && `credential ${credential} ${facts.mark(CONSUMER) ?? ""}`;
}

/**
 * The key of a token with this content.
 *
 * @returns a hash, so that the cache is bounded whatever the claims are
 */
export function contentKey(
	settings: Pick<Settings, "reusesByCredential" | "platform">,
	facts: Facts,
	{ claims, notAfter }: TokenContent,
): string {
	const byCredential = isSelfContained(facts.get(CREDENTIAL))
		? credentialKey(settings, facts)
		: undefined;
	if (byCredential) return byCredential;
	const { platform } = settings;
	const text = platform.encodeMembers([...claims, ["", notAfter ?? 0]]);
	return `content ${platform.hash(text)}`;
}

/**
 * Whether the claims follow from the credential, when the identity does: everything that the configuration uses
 * is marked as the same for all requests of one credential to this plugin entry.
 */
export function followsFromCredential(
	config: ConfigFields & Pick<Settings, "scope" | "templates">,
): boolean {
	const { scope, templates } = config;
	return (
		templates.variables.every((variable) =>
			isSame(findVariable(variable)?.varies, scope),
		) && fieldsVary(config).every((varies) => isSame(varies, scope))
	);
}

/** Whether what varies so is the same for all requests of one credential to a plugin entry. */
function isSame(varies: Varies | undefined, scope: Scope): boolean {
	switch (varies) {
		case "never":
		case "credential":
			return true;
		case "service":
			// A route has one service.
			return (scope.service_id ?? scope.route_id) !== undefined;
		case "route":
			return scope.route_id !== undefined;
		default:
			return false;
	}
}
