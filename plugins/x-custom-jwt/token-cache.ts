import { LRUCache } from "lru-cache";
import { isUsable, type Life, lifeOf } from "../../core/reuse";
import type { IssuedToken, UnsignedToken } from "../../core/token";

/**
 * What a token counts at least, in characters; it takes about half as much again. The cache holds so many times as
 * much as tokens.
 */
const LEAST_SIZE = 1_678;

interface Entry extends Life {
	/** May still be on its way from the signer. */
	token: Promise<IssuedToken>;
}

/**
 * The tokens of one configuration that may be given again; the least recently used ones make room. One that is
 * wanted several times while it is signed is signed once.
 */
export class TokenCache {
	readonly #tokens: LRUCache<string, Entry>;

	/**
	 * @param reuseFor how long a token may be given again, in seconds
	 * @param maxTokens how many are kept; fewer, when they are big
	 * @param sign signs a token
	 */
	constructor(
		private readonly reuseFor: number,
		maxTokens: number,
		private readonly sign: (unsigned: UnsignedToken) => Promise<IssuedToken>,
	) {
		// Given a count, `max`, it takes the memory for so many at once, in every instance.
		this.#tokens = new LRUCache({ maxSize: maxTokens * LEAST_SIZE });
	}

	/** The token of a key, unless it may not be given any more or the next one is due. */
	recall(key: string): Promise<IssuedToken> | undefined {
		const known = this.#usable(key);
		return known && Date.now() < known.nextDue ? known.token : undefined;
	}

	/**
	 * The token of a key, else a new one. When the next one is due it is signed, and nobody waits for it.
	 *
	 * @param issue makes the new one, but for its signature; may throw
	 */
	get(
		key: string,
		issue: () => UnsignedToken,
	): { token: Promise<IssuedToken>; hit: boolean } {
		const recalled = this.recall(key);
		if (recalled) return { token: recalled, hit: true };
		const known = this.#usable(key);
		const now = Date.now();
		const unsigned = issue();
		const token = this.sign(unsigned);
		const life = lifeOf(this.reuseFor, unsigned.exp, now, Math.random());
		const keep = () => {
			if (!life) return;
			const size = Math.max(unsigned.signingInput.length, LEAST_SIZE);
			this.#tokens.set(key, { token, ...life }, { size });
		};
		if (!known) {
			keep();
			token.catch(() => this.#tokens.delete(key));
			return { token, hit: false };
		}
		// Once: should that fail, the next one is signed when the time of this one is over.
		if (life) known.nextDue = life.nextDue;
		token.then(keep, () => {});
		return { token: known.token, hit: true };
	}

	#usable(key: string): Entry | undefined {
		const entry = this.#tokens.get(key);
		return entry && isUsable(entry, Date.now()) ? entry : undefined;
	}
}
