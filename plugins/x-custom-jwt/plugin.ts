import { requestClaims } from "./binding";
import {
	type Claims,
	type ClaimsPlan,
	claimsPlan,
	type Draft,
	issueClaims,
} from "./claims";
import { type Config, parseConfig, type Scope } from "./config";
import {
	type Refused,
	refusedChannel,
	type Signed,
	signedChannel,
} from "./diagnostics";
import { Misconfigured, toRefusal } from "./errors";
import { identify, isOwner, isSelfContained } from "./identity";
import type { Consumer, Credential, Kong, Route, Service } from "./pdk";
import { cacheKey, type IssuedToken, TokenCache } from "./reuse";
import { tokenSigner } from "./token";
import { readVariables } from "./variables";

/**
 * The plugin as Kong's JavaScript plugin server drives it: one object per plugin entry and nginx
 * worker, one call of `access` per request.
 */
export class Plugin {
	readonly #config: Config;
	readonly #plan: ClaimsPlan;
	readonly #needs: Needs;
	readonly #ownInstance: boolean;
	readonly #signToken: (claims: Claims) => Promise<string>;
	readonly #tokens: TokenCache | undefined;

	/**
	 * Prepares everything that does not depend on the request.
	 *
	 * @param config the plugin entry's configuration, as Kong sends it
	 * @param ownInstance whether the plugin server brings each request to the instance of its own plugin
	 * entry; the stock one may not, after a restart (Kong fact)
	 * @throws {Misconfigured} naming the field at fault; Kong logs it and answers 500 (Kong fact)
	 */
	constructor(config: unknown, { ownInstance = false } = {}) {
		this.#config = parseConfig(config);
		const { signingKey, token_type, jku, reuse_for } = this.#config;
		this.#plan = claimsPlan(this.#config);
		this.#needs = needsOf(this.#config, this.#plan);
		this.#ownInstance = ownInstance;
		this.#signToken = tokenSigner(signingKey, { typ: token_type, jku });
		this.#tokens = reuse_for > 0 ? new TokenCache(reuse_for) : undefined;
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
		const { token, logged } = await this.#token(kong);
		const upstream = config.upstream_custom_jwt_header;
		await kong.service.request.setHeader(
			upstream,
			upstream.toLowerCase() === "authorization" ? `Bearer ${token}` : token,
		);
		if (config.downstream_custom_jwt_header)
			await kong.response.setHeader(config.downstream_custom_jwt_header, token);
		if (Object.keys(logged).length > 0)
			await kong.log.setSerializeValue("x_custom_jwt", logged);
	}

	async #token(kong: Kong): Promise<IssuedToken> {
		const tokens = this.#tokens;
		const credential = await kong.client.getCredential();
		if (!tokens) {
			const { draft } = await this.#draft(kong, credential);
			return this.#issue(draft, issueClaims(this.#config, draft, Date.now()));
		}
		const byCredential =
			// Without asking Kong whose request it is.
			this.#ownInstance &&
			this.#needs.onlyCredential &&
			isSelfContained(credential)
				? cacheKey("credential", JSON.stringify(credential))
				: undefined;
		const known = byCredential && tokens.get(byCredential);
		if (known) return known;

		const { draft, consumer } = await this.#draft(kong, credential);
		const text = JSON.stringify(draft);
		const key =
			byCredential && isOwner(consumer, credential)
				? byCredential
				: cacheKey("draft", text);
		const reused = tokens.get(key);
		if (reused) return reused;
		const claims = issueClaims(this.#config, draft, Date.now());
		const token = this.#issue(draft, claims);
		tokens.set(key, token, claims, text.length);
		return token;
	}

	async #draft(
		kong: Kong,
		credential: Credential | undefined,
	): Promise<{ draft: Draft; consumer: Consumer | undefined }> {
		const config = this.#config;
		const needs = this.#needs;
		const consumer = await kong.client.getConsumer();
		const service = needs.service ? await kong.router.getService() : undefined;
		const route = needs.route ? await kong.router.getRoute() : undefined;
		requireOwnInstance(config.scope, { service, route, consumer });

		const identity = await identify(kong, config, credential, consumer);
		const values = await readVariables(kong, this.#plan.variables, {
			identity,
			credential,
			service,
			route,
		});
		const draft = this.#plan.draft({
			identity,
			service,
			requestClaims: config.bind_request
				? await requestClaims(kong, config.max_request_body_size)
				: {},
			lookup: (variable) => values.get(variable),
		});
		return { draft, consumer };
	}

	async #issue(draft: Draft, claims: Claims): Promise<IssuedToken> {
		const started = performance.now();
		const token = await this.#signToken(claims);
		const seconds = (performance.now() - started) / 1000;
		signedChannel.publish({ alg: this.key.alg, seconds } satisfies Signed);
		return { token, logged: loggedClaims(this.#config, draft, claims) };
	}

	async #refuse(kong: Kong, thrown: unknown): Promise<void> {
		const refusal = toRefusal(thrown);
		const { reason } = refusal;
		refusedChannel.publish({ reason } satisfies Refused);
		const detail = this.#config.verbose ? { detail: refusal.message } : {};
		const log = refusal.status < 500 ? kong.log.warn : kong.log.err;
		// The request must end whether or not it can be logged.
		await log(refusal.message).catch(() => {});
		await kong.response.exit(refusal.status, {
			message: refusal.title,
			...detail,
		});
	}
}

/** What a configuration needs to know of a request. */
interface Needs {
	service: boolean;
	route: boolean;
	/** Whether the claims follow from the credential, when the identity does. */
	onlyCredential: boolean;
}

function needsOf(
	{ audience, bind_request, scope }: Config,
	{ variables }: ClaimsPlan,
): Needs {
	const names = (root: string) =>
		variables.some((variable) => variable.startsWith(`${root}.`));
	const service = !audience || names("service");
	const route = names("route");
	return {
		service: service || Boolean(scope.service_id),
		route: route || Boolean(scope.route_id),
		onlyCredential:
			!bind_request &&
			!["headers", "query_params", "client"].some(names) &&
			// Else they are not the same for all requests of the plugin entry.
			(!service || Boolean(scope.service_id ?? scope.route_id)) &&
			(!route || Boolean(scope.route_id)),
	};
}

/**
 * After a restart of the stock plugin server Kong can run a request on the instance of another
 * plugin entry, with another key and issuer (Kong fact): such a request must not be signed.
 */
function requireOwnInstance(
	scope: Scope,
	of: { service?: Service; route?: Route; consumer?: Consumer },
): void {
	const isOwn =
		(!scope.consumer_id || scope.consumer_id === of.consumer?.id) &&
		(!scope.service_id || scope.service_id === of.service?.id) &&
		(!scope.route_id || scope.route_id === of.route?.id);
	if (!isOwn)
		throw new Misconfigured(
			"the instance belongs to another plugin entry; Kong used a stale instance id after the plugin server restarted",
			"wrong_instance",
		);
}

/**
 * The claims for Kong's access log; an API key is none of them, whatever its claim is called. Arrays and
 * objects are logged as JSON text: Kong drops the whole entry when Lua cannot write one, such as
 * `[null, …]` (Kong: cjson's sparse arrays).
 */
function loggedClaims(
	{ log_claims = [] }: Config,
	{ apiKey }: Draft,
	claims: Claims,
): Claims {
	return Object.fromEntries(
		log_claims
			.filter((name) => Object.hasOwn(claims, name))
			.map((name) => [name, claims[name]])
			.filter(([, value]) => value !== apiKey)
			.map(([name, value]) => [
				name,
				typeof value === "object" ? JSON.stringify(value) : value,
			]),
	);
}
