/**
 * Everything that can be asked about a request, as constants with the type of the answer. How each is asked is the
 * affair of whoever drives `decide`: by Kong's PDK in process, or from a plugin server.
 */

/** One thing to know about a request. */
export interface Question<Answer = unknown> {
	about:
		| "credential"
		| "consumer"
		| "service"
		| "route"
		| "forwarded_ip"
		| "forwarded_scheme"
		| "forwarded_host"
		| "forwarded_port"
		| "method"
		| "path"
		| "certificate"
		| "header"
		| "query"
		| "variable"
		| "ctx"
		| "shared"
		| "body_digest";
	/** Of the header, query argument, nginx variable, or member of `ngx.ctx` or `kong.ctx.shared`. */
	name?: string;
	/** How large the body may be, in bytes. */
	maxBytes?: number;
	/** What tells it from any other question. */
	id: string;
	/** Never there: it only gives the answer its type. */
	answer?: Answer;
}

/** What is known of one request. */
export interface Facts {
	/**
	 * The answer to a question; undefined when Kong had none.
	 *
	 * @throws anything when it was not asked, or the answer cannot be read
	 */
	get<Answer>(question: Question<Answer>): Answer | undefined;
	/** What tells an answer from any other, without reading it; undefined when Kong had none. */
	mark(question: Question): string | undefined;
}

/** A credential entity, whole, of whichever security plugin authenticated; see identity.ts. */
export type Credential = Record<string, unknown>;

/** Kong's consumer entity. It has a `username`, a `custom_id` or both. */
export interface Consumer {
	id: string;
	username?: string | null;
	custom_id?: string | null;
	tags?: string[] | null;
}

/** Kong's route entity. */
export interface Route {
	id: string;
	name?: string | null;
}

/** Kong's service entity: where the request goes. */
export interface Service {
	id: string;
	name?: string | null;
	protocol: string;
	host: string;
	port: number;
	path?: string | null;
}

/** SHA-256 of the body's bytes as Kong received them, in base64; or that it is larger than allowed. */
export type BodyDigest = { sha256: string } | { tooLarge: true };

function question<Answer>(
	about: Question["about"],
	name?: string,
): Question<Answer> {
	return name === undefined
		? { about, id: about }
		: { about, name, id: `${about} ${name}` };
}

export const CREDENTIAL = question<Credential>("credential");
export const CONSUMER = question<Consumer>("consumer");
export const SERVICE = question<Service>("service");
export const ROUTE = question<Route>("route");

/** These four are by `X-Forwarded-…` where Kong trusts the proxy in front of it. */
export const FORWARDED_IP = question<string>("forwarded_ip");
export const FORWARDED_SCHEME = question<string>("forwarded_scheme");
export const FORWARDED_HOST = question<string>("forwarded_host");
export const FORWARDED_PORT = question<number>("forwarded_port");

export const METHOD = question<string>("method");
/** As the client sent it, percent-encoded, without query and fragment. */
export const PATH = question<string>("path");

/** The certificate the client sent, PEM, whether or not it verified. */
export const CERTIFICATE = question<string>("certificate");
/** Whether a plugin verified it: `SUCCESS`, or why not (Kong fact). */
export const VERIFIED_BY_PLUGIN = question<unknown>(
	"ctx",
	"CLIENT_VERIFY_OVERRIDE",
);
/** Whether nginx verified it: `SUCCESS`, `NONE`, or why not. */
export const VERIFIED_BY_LISTENER = question<string>(
	"variable",
	"ssl_client_verify",
);

/** The HTTP version of the request, such as `HTTP/1.1`; absent for HTTP/0.9 (Kong fact). */
export const PROTOCOL = question<string>("variable", "server_protocol");

/** All its lines in one: Kong drops the headers that it names from the request (RFC 9110 §7.6.1). */
export const CONNECTION = question<string>("variable", "http_connection");

/** How large the body says it is; absent when it comes in chunks. */
export const CONTENT_LENGTH = question<string>(
	"variable",
	"http_content_length",
);

/**
 * Kong marks its anonymous consumer by this header; a credential is then absent (Kong fact). nginx's variable is
 * asked, as it takes every spelling and misses nothing: Kong's own look-up can be made to come back empty, with the
 * name in another spelling (`X_Anonymous_Consumer`) and so many headers that Kong's is cut off. A client that sends
 * the header itself only loses the consumer.
 */
export const ANONYMOUS_MARK = question<string>(
	"variable",
	"http_x_anonymous_consumer",
);

/** What Kong's jwt plugin leaves: the token that it validated. */
export const VALIDATED_TOKEN = question<unknown>(
	"shared",
	"authenticated_jwt_token",
);

/** Where plugins leave the groups of whom they authenticated (Kong: acl/groups.lua). */
export const SHARED_GROUPS = question<unknown>(
	"shared",
	"authenticated_groups",
);
export const CTX_GROUPS = question<unknown>("ctx", "authenticated_groups");

/** Kong Enterprise has them. */
export const CONSUMER_GROUPS = question<unknown>(
	"ctx",
	"authenticated_consumer_groups",
);

/** The id is that of Kong's log and of `X-Kong-Request-Id`, which no client chooses (Kong fact). */
export const REQUEST_ID = question<string>("variable", "kong_request_id");

/** A request header, the first of that name. */
export function header(name: string): Question<string> {
	return question("header", name);
}

/** A query argument; `true` when it has no value. */
export function queryArgument(name: string): Question<string | true> {
	return question("query", name);
}

/** @param maxBytes how large the body may be, in bytes */
export function bodyDigest(maxBytes: number): Question<BodyDigest> {
	return { about: "body_digest", maxBytes, id: "body_digest" };
}

export const AUTHORIZATION = header("authorization");
