import { decide, type Step } from "../../core/decide";
import type { Decision } from "../../core/decisions";
import type { Settings } from "../../core/settings";
import type { IssuedToken, UnsignedToken } from "../../core/token";
import type { SigningKey } from "../../jwk/signing-key";
import { parseConfig } from "./config";
import {
	type Looked,
	lookedChannel,
	type Signed,
	signedChannel,
} from "./diagnostics";
import { refusal } from "./errors";
import { type Ask, AskedFacts } from "./facts";
import type { Kong } from "./pdk";
import { askStock, carryOut } from "./stock";
import { TokenCache } from "./token-cache";

/**
 * The plugin as Kong's JavaScript plugin server drives it: one object per plugin entry and nginx
 * worker, one call of `access` per request.
 */
export class Plugin {
	readonly #settings: Settings;
	readonly #key: SigningKey;
	readonly #tokens: TokenCache | undefined;
	/** For the log at the next request, as nothing can be logged between them. */
	readonly #warnings: Decision["log"];
	#hasWarnedOfToken = false;

	/**
	 * Prepares everything that does not depend on the request.
	 *
	 * @param config the plugin entry's configuration, as Kong sends it
	 * @param ownInstance whether the plugin server brings each request to the instance of its own plugin
	 * entry; the stock one may not, after a restart (Kong fact)
	 * @throws {Refusal} naming the field at fault; Kong logs it and answers 500 (Kong fact)
	 */
	constructor(config: unknown, { ownInstance = false } = {}) {
		const { settings, key } = parseConfig(config, { ownInstance });
		this.#settings = settings;
		this.#key = key;
		const { reuse_for, reuse_max_tokens } = settings;
		this.#tokens =
			reuse_for > 0
				? new TokenCache(reuse_for, reuse_max_tokens, (unsigned) =>
						this.#sign(unsigned),
					)
				: undefined;
		this.#warnings = settings.warnings.map(({ message }) => ({
			level: "warn",
			message,
		}));
	}

	/** Algorithm and key ID of the key that signs, for logs. */
	get key(): { alg: string; kid: string | undefined } {
		const { alg, kid } = this.#key;
		return { alg, kid };
	}

	/**
	 * Gives the backend a token for whom Kong authenticated, or ends the request.
	 *
	 * @param ask asks Kong about the request; is called twice at most
	 * @returns never rejects: a request whose plugin fails may go through without a token (Kong fact)
	 */
	async decide(ask: Ask): Promise<Decision> {
		let decision: Decision;
		try {
			decision = await this.#drive(new AskedFacts(ask));
		} catch (thrown) {
			decision = this.#refuse(thrown);
		}
		if (this.#warnings.length === 0) return decision;
		const warnings = this.#warnings.splice(0);
		return { ...decision, log: [...warnings, ...decision.log] };
	}

	/**
	 * What the stock plugin server calls for each request.
	 *
	 * @param kong the PDK of this request
	 */
	async access(kong: Kong): Promise<void> {
		const decision = await this.decide(askStock(kong));
		try {
			await carryOut(kong, decision);
		} catch (thrown) {
			await carryOut(kong, this.#refuse(thrown));
		}
	}

	#refuse(thrown: unknown): Decision {
		return refusal(thrown, this.#settings);
	}

	async #drive(facts: AskedFacts): Promise<Decision> {
		let step = decide(this.#settings);
		while (step.do !== "end") step = await this.#carryOut(step, facts);
		return step.decision;
	}

	async #carryOut(
		step: Exclude<Step, { do: "end" }>,
		facts: AskedFacts,
	): Promise<Step> {
		switch (step.do) {
			case "ask":
				await facts.learn(step.questions);
				return step.next(facts);
			case "recall": {
				const token = this.#tokens?.recall(step.key);
				if (token) lookedChannel.publish({ hit: true } satisfies Looked);
				return step.next(await token);
			}
			case "sign": {
				const { key, issue } = step;
				return step.next(await this.#token(key, issue));
			}
		}
	}

	#token(
		key: string | undefined,
		issue: () => UnsignedToken,
	): Promise<IssuedToken> {
		if (!this.#tokens || key === undefined) return this.#sign(issue());
		const { token, hit } = this.#tokens.get(key, issue);
		lookedChannel.publish({ hit } satisfies Looked);
		return token;
	}

	async #sign(unsigned: UnsignedToken): Promise<IssuedToken> {
		const started = performance.now();
		const signature = await this.#key.sign(unsigned.signingInput);
		const token = unsigned.sign(signature.toString("base64url"));
		const seconds = (performance.now() - started) / 1000;
		const { alg } = this.#key;
		const bytes = token.token.length;
		signedChannel.publish({ alg, seconds, bytes } satisfies Signed);
		this.#warnOnce(token.warning);
		return token;
	}

	#warnOnce(message: string | undefined): void {
		if (!message || this.#hasWarnedOfToken) return;
		this.#hasWarnedOfToken = true;
		this.#warnings.push({ level: "warn", message });
	}
}
