/** Why requests are refused: one table, and how one of its rows becomes a refusal. */

/** A row of the table. */
interface Cause {
	/** HTTP status of the response. */
	status: 400 | 401 | 413 | 500 | 505;
	/** The same in one word that does not change, for metrics. */
	reason: string;
	/** For Kong's log and with `verbose` for the client; `{name}` is filled in. */
	text: string;
	/** What it means and what to do, for docs/errors.md; Markdown. */
	means: string;
}

/** The `message` member of a response's body, in Kong's words. */
export const TITLES = {
	400: "Bad request",
	401: "Unauthorized",
	413: "Payload too large",
	500: "An unexpected error occurred",
	505: "HTTP version not supported",
} as const;

/**
 * Every cause for which the plugin refuses a request, but for an unusable configuration, whose texts are
 * as many as its fields. The table of docs/errors.md is made from it.
 */
export const REFUSALS = {
	nobody_authenticated: {
		status: 401,
		reason: "nobody_authenticated",
		text: "nobody authenticated: no credential, no consumer, no verified client certificate; is a security plugin enabled on the route?",
		means: "no security plugin on the route, or only an anonymous consumer",
	},
	unknown_credential: {
		status: 401,
		reason: "nobody_authenticated",
		text: "a credential of no known kind, without consumer, client certificate or Bearer token",
		means:
			"the security plugin leaves neither a consumer nor anything that names the client",
	},
	method_not_accepted: {
		status: 401,
		reason: "method_not_accepted",
		text: "authenticated by {method}, which is not in auth_methods{hint}",
		means:
			"the route does not accept this method: add it to `auth_methods`, `[oidc]` behind openid-connect. Elsewhere `oidc` is a client with a Bearer token that it has no business sending",
	},
	unverified_issuer: {
		status: 401,
		reason: "no_client_id",
		text: "jwt: the claim iss of the incoming token is not the issuer that Kong found the credential by",
		means:
			"the token has `iss` in its header only, or an `iss` that is not a string: the issuer must write it as a claim (RFC 7519 §4.1.1)",
	},
	foreign_token: {
		status: 401,
		reason: "method_not_accepted",
		text: "oidc: the Bearer token is not one that openid-connect validated: it is unsigned, names neither the credential nor the consumer, or another plugin authenticated the client",
		means:
			"another plugin, such as session, authenticated the client, which added a Bearer token of its own: remove `oidc` from `auth_methods` on this route. Behind openid-connect, the value of `credential_claim` or `consumer_claim` must be in the access token",
	},
	no_validated_token: {
		status: 401,
		reason: "no_client_id",
		text: "jwt: the jwt plugin left no token to read",
		means: "a plugin between the jwt plugin and this one removed the token",
	},
	no_subject: {
		status: 401,
		reason: "no_client_id",
		text: "mtls: the verified certificate has no {members}, and there is no consumer",
		means:
			"the client's certificate names the client elsewhere: set `certificate_clientid`",
	},
	odd_entity: {
		status: 401,
		reason: "no_client_id",
		text: "the {what} has no id that is a text",
		means:
			"another plugin made up a credential or consumer that is none of Kong's",
	},
	not_utf8: {
		status: 401,
		reason: "not_utf8",
		text: "{what}: holds bytes that are no UTF-8",
		means:
			"a name or a value that is to be signed could not be read as it was sent",
	},
	no_client_id_claim: {
		status: 401,
		reason: "no_client_id",
		text: "the incoming token has no claim {claims} that is a text or a number; see bearer_clientid_claim and set_claims",
		means:
			"the token names the client otherwise, e.g. `azp`: set `bearer_clientid_claim`, or where it differs `set_claims: {client_id: $(claims.azp or claims.appid)}`",
	},
	inexact_number: {
		status: 401,
		reason: "no_client_id",
		text: "the incoming token has a number beyond 2^53, or too long, which cannot be copied exactly",
		means:
			"JavaScript would sign another number. For `client_id`, the number must be an integer. Let the issuer write a string",
	},
	deep_token: {
		status: 401,
		reason: "no_client_id",
		text: "the incoming token is nested deeper than {depth}",
		means: "the incoming token is not one that a JSON reader should take",
	},
	secret_variable: {
		status: 401,
		reason: "claim_refused",
		text: "$({variable}) holds an API key or a token, which no claim may repeat",
		means:
			"a template names a header or query parameter in which the client sends a secret, or the consumer is named like its API key: name another",
	},
	no_value: {
		status: 401,
		reason: "claim_refused",
		text: "claim {claim}: no value of {variables}",
		means:
			"the client did not send, or the consumer does not have, what the template names. With `strict_claims`, or for `client_id`, that is refused",
	},
	no_text: {
		status: 401,
		reason: "claim_refused",
		text: "claim {claim}: its value is not a string, or is empty",
		means:
			"the value of `client_id` in `set_claims`, or with `strict_claims` of `subject`, must be a string that is not empty. In other claims an empty value is accepted, with `strict_claims` too",
	},
	no_audience_value: {
		status: 401,
		reason: "claim_refused",
		text: "claim aud: no template of audience has a value",
		means: "the request has none of what the templates of `audience` name",
	},
	expired: {
		status: 401,
		reason: "claim_refused",
		text: "cap_expiry: the incoming token has expired, or will before the new one is valid",
		means: "the client needs a fresh token",
	},
	odd_expiry: {
		status: 401,
		reason: "claim_refused",
		text: "cap_expiry: the incoming token's exp is no number",
		means:
			"the issuer of the incoming token does not write `exp` as a number (RFC 7519 §4.1.4)",
	},
	odd_host: {
		status: 401,
		reason: "claim_refused",
		text: "bind_request: the Host header is no host name",
		means: "the client sends a `Host` from which no URL can be made",
	},
	odd_path: {
		status: 401,
		reason: "claim_refused",
		text: "bind_request: the path has a character that URLs do not have",
		means:
			"the client sends a path with a backslash, a space or a control character, which URL readers understand differently",
	},
	body_too_large: {
		status: 413,
		reason: "payload_too_large",
		text: "bind_request: the body has more than {bytes} bytes; see max_request_body_size",
		means: "raise `max_request_body_size`, or do not bind such requests",
	},
	no_service: {
		status: 500,
		reason: "no_audience",
		text: "no audience: the route has no Service; configure audience, or the plugin on routes that have one",
		means:
			"the plugin is on a route without Service, or global: set `audience`, or put it on routes that have one",
	},
	dropped_by_connection: {
		status: 400,
		reason: "dropped_by_connection",
		text: "the header Connection names {header}, which Kong would then not send to the backend",
		means:
			"a client tries to reach the backend without its token; no client has a reason to do so",
	},
	http_version: {
		status: 505,
		reason: "http_version",
		text: "the request is of an HTTP version in which Kong cannot set headers",
		means:
			"a client sends HTTP/0.9, in which there are no headers and so no token; no client has a reason to do so",
	},
	token_too_large: {
		status: 500,
		reason: "token_too_large",
		text: "the token would have {bytes} bytes, more than max_token_size; largest claims: {claims}",
		means:
			"backends refuse large headers: leave claims out with `keep_claims` or `remove_claims`, or raise `max_token_size` and the backend's limit",
	},
	wrong_instance: {
		status: 500,
		reason: "wrong_instance",
		text: "the instance belongs to another plugin entry; Kong used a stale instance id after the plugin server restarted",
		means:
			"the stock plugin server was restarted and Kong used an old instance id. The request was not signed: use the dedicated plugin server",
	},
	nothing_to_bind: {
		status: 500,
		reason: "unexpected",
		text: "bind_request: Kong has no {what} to bind to",
		means: "Kong could not read the request: its own line in the log says why",
	},
	body_file: {
		status: 500,
		reason: "unexpected",
		text: "bind_request: the file in which Kong buffered the body cannot be read: {code}",
		means: "let the plugin server run as Kong's user, on Kong's machine",
	},
	long_answer: {
		status: 500,
		reason: "unexpected",
		text: "Kong's answer to {method} is too long",
		means: "a header, token or entity of more than 16 MB",
	},
	too_slow: {
		status: 500,
		reason: "too_slow",
		text: "the plugin worked longer than {seconds} s",
		means:
			"the dedicated plugin server has too little CPU, or `--phase-timeout` is too short",
	},
	unexpected: {
		status: 500,
		reason: "unexpected",
		text: "unexpected {what}",
		means: "a defect, or a call to Kong that failed: please report it",
	},
} as const satisfies Record<string, Cause>;

/** Why a request must not reach the backend. Plain data, which is thrown: Lua has no classes of errors. */
export interface Refusal {
	isRefusal: true;
	/** HTTP status of the response. */
	status: keyof typeof TITLES;
	/** Why, in one word that does not change, for metrics. */
	reason: string;
	/** Why, for Kong's log and with `verbose` for the client. */
	message: string;
	/** The field of the configuration that is at fault, where it is one. */
	field?: string;
}

/** The names in braces in a text. */
type Blanks<Text extends string> =
	Text extends `${string}{${infer Name}}${infer Rest}`
		? Name | Blanks<Rest>
		: never;

type Causes = typeof REFUSALS;

/**
 * A refusal of the table, to be thrown.
 *
 * @param blanks what its text leaves open
 * @example throw refused("no_subject", { members: "san.uri" })
 */
export function refused<Name extends keyof Causes>(
	cause: Name,
	blanks: Record<Blanks<Causes[Name]["text"]>, string | number>,
): Refusal {
	const { status, reason, text } = REFUSALS[cause];
	const message = filled(text, blanks);
	return { isRefusal: true, status, reason, message };
}

/**
 * An unusable configuration, to be thrown. Becomes 500.
 *
 * @param message names the field, and never a value that may be secret
 * @param field the field at fault, where the caller cannot know it
 */
export function misconfigured(message: string, field?: string): Refusal {
	const reason = "configuration";
	return { isRefusal: true, status: 500, reason, message, field };
}

/** Whether what was thrown is a refusal, and no defect. */
export function isRefusal(thrown: unknown): thrown is Refusal {
	return (
		typeof thrown === "object" &&
		thrown !== null &&
		(thrown as Partial<Refusal>).isRefusal === true
	);
}

/** A text with the names in braces replaced; what replaces them is not looked at. */
function filled(text: string, blanks: Record<string, string | number>): string {
	const [start = "", ...parts] = text.split("{");
	const rest = parts.map((part) => {
		const end = part.indexOf("}");
		return `${blanks[part.slice(0, end)]}${part.slice(end + 1)}`;
	});
	return start + rest.join("");
}
