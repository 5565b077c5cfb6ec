import { bindingQuestions, requestClaims } from "./binding";
import {
	type Claims,
	type ClaimsPlan,
	claimsPlan,
	type Draft,
	issueClaims,
} from "./claims";
import { type Config, parseConfig, type Scope } from "./config";
import { type Signed, signedChannel } from "./diagnostics";
import { Misconfigured, refusal } from "./errors";
import { type Ask, type Decision, Facts, type Question } from "./facts";
import {
	identify,
	identityQuestions,
	isOwner,
	isSelfContained,
} from "./identity";
import type { Kong } from "./pdk";
import { cacheKey, type IssuedToken, TokenCache } from "./reuse";
import { askStock, carryOut } from "./stock";
import { tokenSigner } from "./token";
import { readVariables, variableQuestions } from "./variables";

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
	 * Gives the backend a token for whom Kong authenticated, or ends the request.
	 *
	 * @param ask asks Kong about the request; is called twice at most
	 * @returns never rejects: a request whose plugin fails may go through without a token (Kong fact)
	 */
	async decide(ask: Ask): Promise<Decision> {
		try {
			return this.#forward(await this.#token(new Facts(ask)));
		} catch (thrown) {
			return refusal(thrown, this.#config);
		}
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
			await carryOut(kong, refusal(thrown, this.#config));
		}
	}

	#forward({ token, logged }: IssuedToken): Decision {
		const {
			upstream_custom_jwt_header: upstream,
			downstream_custom_jwt_header: downstream,
		} = this.#config;
		const isAuthorization = upstream.toLowerCase() === "authorization";
		return {
			log: [],
			logValues:
				Object.keys(logged).length > 0 ? [["x_custom_jwt", logged]] : [],
			clearedHeaders: [],
			upstreamHeaders: [
				[upstream, isAuthorization ? `Bearer ${token}` : token],
			],
			downstreamHeaders: downstream ? [[downstream, token]] : [],
		};
	}

	async #token(facts: Facts): Promise<IssuedToken> {
		const config = this.#config;
		const tokens = this.#tokens;
		const { questions, onlyCredential } = this.#needs;
		const mayReuse = tokens && this.#ownInstance && onlyCredential;
		await facts.learn(mayReuse ? [CREDENTIAL] : questions);
		const credential = facts.get("credential");
		const byCredential =
			// Without asking Kong whose request it is.
			mayReuse && isSelfContained(credential)
				? cacheKey("credential", JSON.stringify(credential))
				: undefined;
		const known = byCredential && tokens?.get(byCredential);
		if (known) return known;

		await facts.learn([...questions, ...identityQuestions(credential, config)]);
		const draft = this.#draft(facts);
		if (!tokens)
			return this.#issue(draft, issueClaims(config, draft, Date.now()));
		const text = JSON.stringify(draft);
		const key =
			byCredential && isOwner(facts.get("consumer"), credential)
				? byCredential
				: cacheKey("draft", text);
		const reused = tokens.get(key);
		if (reused) return reused;
		const claims = issueClaims(config, draft, Date.now());
		const token = this.#issue(draft, claims);
		tokens.set(key, token, claims, text.length);
		return token;
	}

	#draft(facts: Facts): Draft {
		const config = this.#config;
		requireOwnInstance(config.scope, facts);
		const identity = identify(facts, config);
		const values = readVariables(this.#plan.variables, facts, identity);
		return this.#plan.draft({
			identity,
			service: this.#needs.service ? facts.get("service") : undefined,
			requestClaims: config.bind_request
				? requestClaims(facts, config.max_request_body_size)
				: {},
			lookup: (variable) => values.get(variable),
		});
	}

	async #issue(draft: Draft, claims: Claims): Promise<IssuedToken> {
		const started = performance.now();
		const token = await this.#signToken(claims);
		const seconds = (performance.now() - started) / 1000;
		signedChannel.publish({ alg: this.key.alg, seconds } satisfies Signed);
		return { token, logged: loggedClaims(this.#config, draft, claims) };
	}
}

const CREDENTIAL: Question = { about: "credential" };

/** What a configuration needs to know of a request. */
interface Needs {
	service: boolean;
	questions: Question[];
	/** Whether the claims follow from the credential, when the identity does. */
	onlyCredential: boolean;
}

function needsOf(
	{ audience, bind_request, max_request_body_size, scope }: Config,
	{ variables }: ClaimsPlan,
): Needs {
	const names = (root: string) =>
		variables.some((variable) => variable.startsWith(`${root}.`));
	const service = !audience || names("service");
	const route = names("route");
	return {
		service: service || Boolean(scope.service_id),
		questions: [
			CREDENTIAL,
			{ about: "consumer" },
			...(service || scope.service_id ? [{ about: "service" } as const] : []),
			...(route || scope.route_id ? [{ about: "route" } as const] : []),
			...variableQuestions(variables),
			...(bind_request ? bindingQuestions(max_request_body_size) : []),
		],
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
function requireOwnInstance(scope: Scope, facts: Facts): void {
	const isOwn = (["consumer", "service", "route"] as const).every((entity) => {
		const own = scope[`${entity}_id`];
		return !own || own === facts.get(entity)?.id;
	});
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
