/**
 * What the plugin asks about a request and what it decides: all that passes between its core, which knows
 * no protocol, and the plugin server, which knows no claims.
 */

/** One thing to know about a request, one PDK call each. */
export type Question =
	/** The credential entity, whole, and the consumer, service and route entities. */
	| { about: "credential" | "consumer" | "service" | "route" }
	/** By `X-Forwarded-…` where Kong trusts the proxy in front of it. */
	| {
			about:
				| "forwarded_ip"
				| "forwarded_scheme"
				| "forwarded_host"
				| "forwarded_port";
	  }
	/** The path is as the client sent it, percent-encoded, without query. */
	| { about: "method" | "path" }
	/** The certificate the client sent, PEM, whether or not it verified. */
	| { about: "certificate" }
	/** A request header, the first of that name; a query argument, `true` when it has no value. */
	| { about: "header" | "query"; name: string }
	/** nginx's variable; a member of `ngx.ctx`; a member of `kong.ctx.shared`. */
	| { about: "variable" | "ctx" | "shared"; name: string }
	/** SHA-256 of the body's bytes as Kong received them; see `BodyDigest`. */
	| { about: "body_digest"; maxBytes: number };

/** Answer to the question `body_digest`: the hash in base64, or that the body is larger than allowed. */
export type BodyDigest = { sha256: string } | { tooLarge: true };

/**
 * Asks Kong.
 *
 * @returns the answers in the order of the questions, `undefined` where Kong has none. Bytes that are no
 * UTF-8 are U+FFFD in them.
 */
export type Ask = (questions: readonly Question[]) => Promise<unknown[]>;

/** What becomes of a request. Adapters carry it out in the order of the members. */
export interface Decision {
	/** Lines for Kong's error log. */
	log: { level: "info" | "warn" | "err"; message: string }[];
	/** Values for the entries of Kong's log plugins (`kong.log.set_serialize_value`). */
	logValues: [name: string, value: string | Record<string, unknown>][];
	/** Ends the request; it then goes nowhere, and the members below are empty. */
	exit?: {
		status: number;
		headers: Record<string, string>;
		body: Record<string, unknown>;
	};
	/** Headers that the request loses before it goes to the backend. */
	clearedHeaders: string[];
	/** Headers that the backend gets, in place of the client's own. */
	upstreamHeaders: [name: string, value: string][];
	/** Headers that the client gets. */
	downstreamHeaders: [name: string, value: string][];
}
