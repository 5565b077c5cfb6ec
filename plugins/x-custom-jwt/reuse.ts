import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";

/** A signed token. */
export interface IssuedToken {
	/** JWS Compact Serialization. */
	token: string;
	/** The claims that are logged. */
	logged: Record<string, unknown>;
}

/** A token must not be given to a backend in its last fifth. */
const USABLE_LIFE = 0.8;

const MAX_TOKENS = 10_000;
/** Characters, of claims as JSON; a token takes about half as much again. */
const MAX_SIZE = 16_777_216;

/**
 * The tokens of one configuration that may be given again; the least recently used ones make room.
 */
export class TokenCache {
	readonly #tokens = new LRUCache<string, Promise<IssuedToken>>({
		max: MAX_TOKENS,
		maxSize: MAX_SIZE,
		// The clock by which tokens expire, even when it is set.
		perf: Date,
		ttlResolution: 0,
	});
	readonly #reuseFor: number;

	/** @param reuseFor how long a token may be given again, in seconds */
	constructor(reuseFor: number) {
		this.#reuseFor = reuseFor;
	}

	/** The token of a key, which may still be on its way from the signer. */
	get(key: string): Promise<IssuedToken> | undefined {
		return this.#tokens.get(key);
	}

	/**
	 * Keeps a token for as long as it may be given again, before it is signed, so that it is signed once.
	 *
	 * @param size of the claims, in characters
	 */
	set(
		key: string,
		token: Promise<IssuedToken>,
		{ iat, exp }: { iat: number; exp: number },
		size: number,
	): void {
		const usableUntil = iat + USABLE_LIFE * (exp - iat);
		const usableFor = usableUntil * 1000 - Date.now();
		const ttl = Math.floor(Math.min(this.#reuseFor * 1000, usableFor));
		if (ttl < 1) return;
		this.#tokens.set(key, token, { ttl, size });
		token.catch(() => this.#tokens.delete(key));
	}
}

/**
 * The key of a token in the cache; a hash, so that the cache is bounded whatever the claims are.
 *
 * @param kind of what the token follows from
 * @param text all that the token follows from
 */
export function cacheKey(kind: "credential" | "draft", text: string): string {
	return hash("sha256", `${kind} ${text}`, "base64url");
}
