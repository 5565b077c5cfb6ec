import { buildClaims, type Claims } from "./claims";
import { type Config, parseConfig, type Scope } from "./config";
import {
	type Refused,
	refusedChannel,
	type Signed,
	signedChannel,
} from "./diagnostics";
import { Misconfigured, toRefusal, Unauthorized } from "./errors";
import { identify } from "./identity";
import type { Consumer, Kong, Service } from "./pdk";
import { tokenSigner } from "./token";

/**
 * The plugin as Kong's JavaScript plugin server drives it: one object per plugin entry and nginx
 * worker, one call of `access` per request.
 */
export class Plugin {
	readonly #config: Config;
	readonly #signToken: (claims: Claims) => Promise<string>;

	/**
	 * Prepares everything that does not depend on the request.
	 *
	 * @param config the plugin entry's configuration, as Kong sends it
	 * @throws {Misconfigured} naming the field at fault; Kong logs it and answers 500 (Kong fact)
	 */
	constructor(config: unknown) {
		this.#config = parseConfig(config);
		this.#signToken = tokenSigner(this.#config.signingKey, this.#config.jku);
	}

	/** Algorithm and key ID of the key that signs, for logs. */
	get key(): { alg: string; kid: string | undefined } {
		const { alg, kid } = this.#config.signingKey;
		return { alg, kid };
	}

	/**
	 * Gives the backend a token for whom Kong authenticated, or ends the request. Nothing is ever
	 * thrown to the plugin server: it would let the request through without a token (Kong fact).
	 *
	 * @param kong the PDK of this request
	 */
	async access(kong: Kong): Promise<void> {
		try {
			await this.#addToken(kong);
		} catch (thrown) {
			await this.#refuse(kong, thrown);
		}
	}

	async #addToken(kong: Kong): Promise<void> {
		const config = this.#config;
		const credential = await kong.client.getCredential();
		const consumer = await kong.client.getConsumer();
		const service = await kong.router.getService();
		await requireOwnInstance(kong, config.scope, service, consumer);

		const identity = await identify(kong, config, credential, consumer);
		const claims = buildClaims(config, identity, service, Date.now());
		const token = await this.#sign(claims);

		const upstream = config.upstream_custom_jwt_header;
		await kong.service.request.setHeader(
			upstream,
			upstream.toLowerCase() === "authorization" ? `Bearer ${token}` : token,
		);
		if (config.downstream_custom_jwt_header)
			await kong.response.setHeader(config.downstream_custom_jwt_header, token);
	}

	async #sign(claims: Claims): Promise<string> {
		if (!signedChannel.hasSubscribers) return this.#signToken(claims);
		const started = performance.now();
		const token = await this.#signToken(claims);
		const seconds = (performance.now() - started) / 1000;
		signedChannel.publish({ alg: this.key.alg, seconds } satisfies Signed);
		return token;
	}

	async #refuse(kong: Kong, thrown: unknown): Promise<void> {
		const refusal = toRefusal(thrown);
		const { reason } = refusal;
		refusedChannel.publish({ reason } satisfies Refused);
		const detail = this.#config.verbose ? { detail: refusal.message } : {};
		const log = refusal instanceof Unauthorized ? kong.log.warn : kong.log.err;
		// The request must end whether or not it can be logged.
		await log(refusal.message).catch(() => {});
		await kong.response.exit(refusal.status, {
			message: refusal.title,
			...detail,
		});
	}
}

/**
 * After a restart of the stock plugin server Kong can run a request on the instance of another
 * plugin entry, with another key and issuer (Kong fact): such a request must not be signed.
 */
async function requireOwnInstance(
	kong: Kong,
	scope: Scope,
	service: Service | undefined,
	consumer: Consumer | undefined,
): Promise<void> {
	const own =
		(!scope.consumer_id || scope.consumer_id === consumer?.id) &&
		(scope.service_id
			? scope.service_id === service?.id
			: !scope.route_id ||
				scope.route_id === (await kong.router.getRoute())?.id);
	if (!own)
		throw new Misconfigured(
			"the instance belongs to another plugin entry; Kong used a stale instance id after the plugin server restarted",
			"wrong_instance",
		);
}
