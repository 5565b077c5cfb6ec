import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { fieldsVary, type Varies } from "../../schema/fields";
import type { TokenContent } from "./claims";
import type { Config, Scope } from "./config";
import type { Facts } from "./facts";
import { isSelfContained } from "./identity";
import { findVariable } from "./variables";

/** A signed token. */
export interface IssuedToken {
	/** JWS Compact Serialization. */
	token: string;
	/** The claims that are logged. */
	logged: Record<string, unknown>;
}

/** A token must not be given to a backend in its last fifth. */
const USABLE_LIFE = 0.8;

/**
 * The share of a token's time after which its next use signs the next one, which differs from token to token:
 * callers that came together do not come back for new ones together.
 */
const nextShare = () => 0.75 + 0.2 * Math.random();

/**
 * What a token counts at least, in characters of its claims as JSON; it takes about half as much again. The
 * cache holds so many times as much as tokens.
 */
const LEAST_SIZE = 1_678;

interface Entry {
	/** May still be on its way from the signer. */
	token: Promise<IssuedToken>;
	/** When it was issued, a whole second, in milliseconds since the epoch. */
	issuedAt: number;
	/** When its time is nearly over: the next one is then signed while it is given. In milliseconds since the epoch. */
	nextDue: number;
}

/**
 * The tokens of one configuration that may be given again; the least recently used ones make room.
 */
export class TokenCache {
	readonly #tokens: LRUCache<string, Entry>;
	readonly #reuseFor: number;

	/**
	 * @param reuseFor how long a token may be given again, in seconds
	 * @param maxTokens how many are kept; fewer, when their claims are big
	 */
	constructor(reuseFor: number, maxTokens: number) {
		this.#reuseFor = reuseFor;
		this.#tokens = new LRUCache({
			// Given a count, `max`, it takes the memory for so many at once, in every instance.
			maxSize: maxTokens * LEAST_SIZE,
			// The clock by which tokens expire, even when it is set.
			perf: Date,
			ttlResolution: 0,
		});
	}

	/** The token of a key that may be given again. */
	get(key: string): Entry | undefined {
		const entry = this.#tokens.get(key);
		// The clock was set back: backends refuse a token of the future, which would live too long besides.
		return entry && entry.issuedAt <= Date.now() ? entry : undefined;
	}

	/**
	 * Keeps a token for as long as it may be given again, before it is signed, so that it is signed once. One
	 * that is there is given until then.
	 *
	 * @param token issued now
	 * @param exp when it expires, in seconds since the epoch
	 * @param size of the claims, in characters
	 */
	set(
		key: string,
		token: Promise<IssuedToken>,
		exp: number,
		size: number,
	): void {
		const start = Date.now();
		// Tokens count whole seconds.
		const issuedAt = Math.floor(start / 1000);
		const usableUntil = issuedAt + USABLE_LIFE * (exp - issuedAt);
		const usableFor = usableUntil * 1000 - start;
		const ttl = Math.floor(Math.min(this.#reuseFor * 1000, usableFor));
		if (ttl < 1) return;
		const entry = {
			token,
			issuedAt: issuedAt * 1000,
			nextDue: start + ttl * nextShare(),
		};
		const keep = () => {
			this.#tokens.set(key, entry, {
				start,
				ttl,
				size: Math.max(size, LEAST_SIZE),
			});
		};
		const known = this.get(key);
		if (known) {
			// Once: should that fail, the next one is signed when the time of this one is over.
			known.nextDue = entry.nextDue;
			token.then(keep, () => {});
		} else {
			keep();
			token.catch(() => this.#tokens.delete(key));
		}
	}
}

/** Gives the tokens of one configuration again, where nothing that they follow from has changed. */
export class Reuse {
	readonly #tokens: TokenCache;

	/**
	 * Whether a token can follow from the credential and the consumer alone: then Kong is asked nothing else
	 * when it is reused.
	 */
	readonly byCredential: boolean;

	/**
	 * @param ownInstance whether each request is surely one of this plugin entry's
	 */
	constructor(config: Config, ownInstance: boolean) {
		this.#tokens = new TokenCache(config.reuse_for, config.reuse_max_tokens);
		this.byCredential = ownInstance && followsFromCredential(config);
	}

	/**
	 * The token that follows from the credential and the consumer, if there is one. None when the next one is due: that is
	 * made of what Kong knows now, so that no token is older than `reuse_for` says.
	 */
	ofCredential(facts: Facts): Promise<IssuedToken> | undefined {
		const key = this.#credentialKey(facts);
		const known = key && this.#tokens.get(key);
		return known && Date.now() < known.nextDue ? known.token : undefined;
	}

	/**
	 * The token that has been issued for the same content, else a new one. When the next one is due it is
	 * issued, and this request does not wait for it.
	 *
	 * @param issue completes the claims and begins to sign them
	 */
	token(
		content: TokenContent,
		facts: Facts,
		issue: () => { token: Promise<IssuedToken>; exp: number },
	): { token: Promise<IssuedToken>; hit: boolean } {
		const text = JSON.stringify(content);
		const byCredential = isSelfContained(facts.get("credential"))
			? this.#credentialKey(facts)
			: undefined;
		const key = byCredential ?? cacheKey("content", text);
		const known = this.#tokens.get(key);
		if (known && Date.now() < known.nextDue)
			return { token: known.token, hit: true };
		const { token, exp } = issue();
		this.#tokens.set(key, token, exp, text.length);
		if (!known) return { token, hit: false };
		// Nobody waits for it.
		token.catch(() => {});
		return { token: known.token, hit: true };
	}

	#credentialKey(facts: Facts): string | undefined {
		if (!this.byCredential) return undefined;
		const credential = facts.fingerprint("credential");
		if (!credential) return undefined;
		// Another plugin may have replaced the consumer.
		const consumer = facts.fingerprint("consumer") ?? "";
		return `${cacheKey("credential", credential)} ${cacheKey("consumer", consumer)}`;
	}
}

/**
 * Whether the claims follow from the credential, when the identity does: everything that the configuration uses
 * is marked as the same for all requests of one credential to this plugin entry.
 */
function followsFromCredential(config: Config): boolean {
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
			return Boolean(scope.service_id || scope.route_id);
		case "route":
			return Boolean(scope.route_id);
		default:
			return false;
	}
}

/**
 * The key of a token in the cache; a hash, so that the cache is bounded whatever the claims are.
 *
 * @param kind of what the token follows from
 * @param source all that the token follows from
 */
export function cacheKey(
	kind: "credential" | "consumer" | "content",
	source: string | Uint8Array,
): string {
	return `${kind} ${hash("sha256", source, "base64url")}`;
}
