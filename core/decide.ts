/** The steps of one request. */
import { certificateClaims, requestClaims } from "./binding";
import { makeClaims, type TokenContent } from "./claims";
import { type Decision, forward, passWithoutToken } from "./decisions";
import { isNamedBy } from "./headers";
import { identify, identityQuestions } from "./identity";
import type { Claims } from "./platform";
import {
	CONNECTION,
	CONSUMER,
	CONTENT_LENGTH,
	CREDENTIAL,
	type Facts,
	METHOD,
	PROTOCOL,
	type Question,
	ROUTE,
	SERVICE,
} from "./questions";
import { refused } from "./refusals";
import { contentKey, credentialKey } from "./reuse";
import type { Settings } from "./settings";
import { type IssuedToken, issue, type UnsignedToken } from "./token";
import { readVariables } from "./variables";

/**
 * Where the decision about a request stands. Whoever drives it does what the step says and goes on with `next`, which
 * may throw a `Refusal`, until there is a decision.
 */
export type Step =
	/** Kong is to be asked; the facts then have these answers too. */
	| {
			do: "ask";
			questions: readonly Question[];
			next: (facts: Facts) => Step;
	  }
	/** The token kept by a key is wanted, unless it is not there, not usable any more, or the next one is due. */
	| {
			do: "recall";
			key: string;
			next: (token: IssuedToken | undefined) => Step;
	  }
	/**
	 * A token is to be signed, and kept by the key where there is one. Where one is kept that is usable, it is taken
	 * instead; when the next one is due, that is signed while this one is given.
	 */
	| {
			do: "sign";
			key: string | undefined;
			/** Makes all but the signature. */
			issue: () => UnsignedToken;
			next: (token: IssuedToken) => Step;
	  }
	| { do: "end"; decision: Decision };

/**
 * Decides about one request: who was authenticated, which claims, reuse or sign, and what Kong is told. It asks at
 * most twice, with a batch of questions each.
 *
 * @example
 * let step = decide(settings);
 * while (step.do !== "end") step = await carryOut(step);
 */
export function decide(settings: Settings): Step {
	return ask(settings.firstQuestions, (facts) => {
		requireHeaders(facts.get(PROTOCOL));
		requireNotDropped(settings, facts.get(CONNECTION) ?? "");
		if (settings.bind_request)
			requireSmallBody(settings, facts.get(CONTENT_LENGTH) ?? "0");
		const isPreflight =
			!settings.run_on_preflight && facts.get(METHOD) === "OPTIONS";
		if (isPreflight)
			return ask(settings.questions, () => {
				requireOwnInstance(settings, facts);
				return end(passWithoutToken(settings));
			});
		const key = credentialKey(settings, facts);
		if (key === undefined) return askForIdentity(settings, facts);
		return {
			do: "recall",
			key,
			next: (known) =>
				known ? end(forward(settings, known)) : askForIdentity(settings, facts),
		};
	});
}

function ask(
	questions: readonly Question[],
	next: (facts: Facts) => Step,
): Step {
	return { do: "ask", questions, next };
}

function end(decision: Decision): Step {
	return { do: "end", decision };
}

function askForIdentity(settings: Settings, known: Facts): Step {
	const more = identityQuestions(known.get(CREDENTIAL), settings);
	const questions =
		more.length > 0 ? [...settings.questions, ...more] : settings.questions;
	return ask(questions, (facts) => {
		requireOwnInstance(settings, facts);
		const identity = identify(facts, settings);
		if (!identity) {
			if (settings.unauthenticated !== "pass")
				throw refused("nobody_authenticated", {});
			return end(passWithoutToken(settings));
		}
		const { platform, namedVariables } = settings;
		const sources = { facts, identity, platform };
		const values = readVariables(namedVariables, sources);
		const content = makeClaims(settings, {
			identity,
			service: settings.audience ? undefined : facts.get(SERVICE),
			bindingClaims: bindingClaims(settings, facts),
			lookup: (variable) => values[variable],
		});
		return sign(settings, facts, content);
	});
}

function bindingClaims(settings: Settings, facts: Facts): Claims {
	const { bind_request, bind_certificate, platform } = settings;
	const claims: Claims = [];
	if (bind_request)
		claims.push(
			...requestClaims(facts, settings.max_request_body_size, platform),
		);
	if (bind_certificate) claims.push(...certificateClaims(facts, platform));
	return claims;
}

function sign(settings: Settings, facts: Facts, content: TokenContent): Step {
	const isReused = settings.reuse_for > 0;
	return {
		do: "sign",
		key: isReused ? contentKey(settings, facts, content) : undefined,
		issue: () => issue(settings, content),
		next: (token) => end(forward(settings, token)),
	};
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
	{ upstream_custom_jwt_header: header }: Settings,
	connection: string,
): void {
	if (isNamedBy(connection, header))
		throw refused("dropped_by_connection", { header });
}

/** Before the body is asked for: Kong would first receive all of it, however slowly it comes. */
function requireSmallBody(
	{ max_request_body_size: bytes }: Settings,
	contentLength: string,
): void {
	if (Number(contentLength) > bytes) throw refused("body_too_large", { bytes });
}

/**
 * After a restart of the stock plugin server Kong can run a request on the instance of another
 * plugin entry, with another key and issuer (Kong fact): such a request must not be signed.
 */
function requireOwnInstance({ scope }: Settings, facts: Facts): void {
	const { consumer_id, service_id, route_id } = scope;
	const isOwn =
		(!consumer_id || facts.get(CONSUMER)?.id === consumer_id) &&
		(!service_id || facts.get(SERVICE)?.id === service_id) &&
		(!route_id || facts.get(ROUTE)?.id === route_id);
	if (!isOwn) throw refused("wrong_instance", {});
}
