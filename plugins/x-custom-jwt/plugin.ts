import { certificateClaims, requestClaims } from "./binding";
import { challenges } from "./challenge";
import {
	type Claims,
	issueClaims,
	makeClaims,
	type TokenContent,
} from "./claims";
import { type Config, parseConfig, type Scope } from "./config";
import { forward, passWithoutToken, unauthenticated } from "./decisions";
import {
	type Looked,
	lookedChannel,
	type Signed,
	signedChannel,
} from "./diagnostics";
import { refusal, refused } from "./errors";
import { type Ask, type Decision, Facts, type Question } from "./facts";
import { type Identity, identify, identityQuestions } from "./identity";
import type { Kong } from "./pdk";
import {
	CONNECTION,
	PROTOCOL,
	requestQuestions,
	reuseQuestions,
} from "./questions";
import { type IssuedToken, Reuse } from "./reuse";
import { checkSize } from "./size";
import { askStock, carryOut } from "./stock";
import { tokenSigner } from "./token";
import { readVariables } from "./variables";
import { warningsOf } from "./warnings";

/**
 * The plugin as Kong's JavaScript plugin server drives it: one object per plugin entry and nginx
 * worker, one call of `access` per request.
 */
export class Plugin {
	readonly #config: Config;
	readonly #questions: Question[];
	/** What is asked first. */
	readonly #firstQuestions: Question[];
	readonly #reuse: Reuse | undefined;
	readonly #signToken: (claims: Claims) => Promise<string>;
	readonly #challenge: string;
	/** For the log at the next request, as nothing can be logged between them. */
	readonly #warnings: Decision["log"];
	#hasWarnedOfSize = false;

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
		this.#questions = requestQuestions(this.#config);
		this.#reuse =
			reuse_for > 0 ? new Reuse(this.#config, ownInstance) : undefined;
		this.#firstQuestions = this.#reuse?.byCredential
			? reuseQuestions(this.#config)
			: this.#questions;
		this.#signToken = tokenSigner(signingKey, { typ: token_type, jku });
		this.#challenge = challenges(this.#config);
		this.#warnings = warningsOf(this.#config).map(({ message }) => ({
			level: "warn",
			message,
		}));
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
		let decision: Decision;
		try {
			decision = await this.#decide(new Facts(ask));
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

	#warnOfSize(message: string | undefined): void {
		if (!message || this.#hasWarnedOfSize) return;
		this.#hasWarnedOfSize = true;
		this.#warnings.push({ level: "warn", message });
	}

	#refuse(thrown: unknown): Decision {
		const { verbose } = this.#config;
		return refusal(thrown, { verbose, challenge: this.#challenge });
	}

	async #decide(facts: Facts): Promise<Decision> {
		const config = this.#config;
		const reuse = this.#reuse;
		await facts.learn(this.#firstQuestions);
		requireHeaders(facts.get(PROTOCOL.about, PROTOCOL.name));
		requireNotDropped(config, facts.get(CONNECTION.about, CONNECTION.name));
		const isPreflight =
			!config.run_on_preflight && facts.get("method") === "OPTIONS";
		const reused = isPreflight ? undefined : reuse?.ofCredential(facts);
		if (reused) {
			lookedChannel.publish({ hit: true } satisfies Looked);
			return forward(config, await reused);
		}

		await facts.learn([
			...this.#questions,
			...(isPreflight
				? []
				: identityQuestions(facts.get("credential"), config)),
		]);
		requireOwnInstance(config.scope, facts);
		if (isPreflight) return passWithoutToken(config);
		const identity = identify(facts, config);
		if (!identity) return unauthenticated(config);
		const content = this.#content(identity, facts);
		return forward(config, await this.#token(content, facts));
	}

	#token(content: TokenContent, facts: Facts): Promise<IssuedToken> {
		const reuse = this.#reuse;
		if (!reuse) return this.#issue(content).token;
		const { token, hit } = reuse.token(content, facts, () =>
			this.#issue(content),
		);
		lookedChannel.publish({ hit } satisfies Looked);
		return token;
	}

	#content(identity: Identity, facts: Facts): TokenContent {
		const config = this.#config;
		const { variables } = config.templates;
		const values = readVariables(variables, facts, identity);
		return makeClaims(config, {
			identity,
			service: config.audience ? undefined : facts.get("service"),
			bindingClaims: {
				...(config.bind_request &&
					requestClaims(facts, config.max_request_body_size)),
				...(config.bind_certificate && certificateClaims(facts)),
			},
			lookup: (variable) => values.get(variable),
		});
	}

	#issue(content: TokenContent) {
		const claims = issueClaims(this.#config, content, Date.now());
		return { token: this.#sign(claims, content), exp: claims.exp };
	}

	async #sign(claims: Claims, { apiKey }: TokenContent): Promise<IssuedToken> {
		const started = performance.now();
		const token = await this.#signToken(claims);
		const seconds = (performance.now() - started) / 1000;
		const { alg } = this.key;
		const bytes = token.length;
		signedChannel.publish({ alg, seconds, bytes } satisfies Signed);
		this.#warnOfSize(checkSize(this.#config, bytes, claims));
		return { token, logged: loggedClaims(this.#config, claims, apiKey) };
	}
}

/** Versions of HTTP in which a request has headers, as nginx's `$server_protocol` writes them. */
const PROTOCOLS = ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"];

/**
 * A request of HTTP/0.9 has no headers, so nginx silently sets none: neither the token nor Kong's mark of an
 * anonymous consumer reaches anybody (Kong fact).
 */
function requireHeaders(protocol: string | undefined): void {
	if (protocol === undefined || !PROTOCOLS.includes(protocol))
		throw refused("http_version", {});
}

/** After the plugins Kong drops what the client's `Connection` names: no token must be among it. */
function requireNotDropped(
	{ upstream_custom_jwt_header: header }: Config,
	connection = "",
): void {
	// Whatever separates them: Kong's own reading is not relied on.
	const names = connection.toLowerCase().split(/[^a-z0-9_-]+/);
	if (names.includes(header.toLowerCase()))
		throw refused("dropped_by_connection", { header });
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
	if (!isOwn) throw refused("wrong_instance", {});
}

/**
 * The claims for Kong's access log; an API key is none of them, whatever its claim is called. Arrays and
 * objects are logged as JSON text: Kong drops the whole entry when Lua cannot write one, such as
 * `[null, …]` (Kong: cjson's sparse arrays).
 */
function loggedClaims(
	{ log_claims = [] }: Config,
	claims: Claims,
	apiKey: string | undefined,
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
