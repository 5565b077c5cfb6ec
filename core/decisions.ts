/** What becomes of a request. */
import type { ConfigFields } from "../schema/fields";
import { spellings } from "./headers";
import { type Refusal, TITLES } from "./refusals";
import type { Settings } from "./settings";
import type { IssuedToken } from "./token";
import type { Members } from "./values";

/** What becomes of a request. Whoever drives `decide` carries it out in the order of the members. */
export interface Decision {
	/** Lines for Kong's error log. */
	log: { level: "info" | "warn" | "err"; message: string }[];
	/** Values for the entries of Kong's log plugins (`kong.log.set_serialize_value`). */
	logValues: [name: string, value: string | Members][];
	/** Ends the request; it then goes nowhere, and the members below are empty. */
	exit?: {
		status: number;
		headers?: Record<string, string>;
		body: Members;
	};
	/** Headers that the request loses before it goes to the backend. */
	clearedHeaders: string[];
	/** Headers that the backend gets, in place of the client's own. */
	upstreamHeaders: [name: string, value: string][];
	/** Headers that the client gets. */
	downstreamHeaders: [name: string, value: string][];
}

/** What most decisions have nothing of; nobody may change it. */
const NONE: never[] = [];

/** Kong's log plugins write all headers, and tokens are no less secret than passwords. */
const REDACTED = "REDACTED";

/** Proxies a request with its token. */
export function forward(
	{
		upstream_custom_jwt_header: upstream,
		downstream_custom_jwt_header: downstream,
		token_prefix,
	}: Settings,
	{ token, logged }: IssuedToken,
): Decision {
	const isAuthorization = upstream.toLowerCase() === "authorization";
	const prefix = token_prefix ?? (isAuthorization ? "Bearer" : undefined);
	const logValues: Decision["logValues"] = [];
	// Kong redacts Authorization itself (Kong fact).
	if (!isAuthorization)
		logValues.push([`request.headers.${upstream.toLowerCase()}`, REDACTED]);
	if (downstream)
		logValues.push([`response.headers.${downstream.toLowerCase()}`, REDACTED]);
	if (Object.keys(logged).length > 0) logValues.push(["x_custom_jwt", logged]);
	return {
		log: NONE,
		logValues,
		clearedHeaders: NONE,
		upstreamHeaders: [[upstream, prefix ? `${prefix} ${token}` : token]],
		downstreamHeaders: downstream ? [[downstream, token]] : NONE,
	};
}

/** Proxies a request without a token, and without what the client sent in its place. */
export function passWithoutToken({
	upstream_custom_jwt_header: upstream,
}: Pick<ConfigFields, "upstream_custom_jwt_header">): Decision {
	return {
		log: NONE,
		logValues: NONE,
		clearedHeaders: spellings(upstream),
		upstreamHeaders: NONE,
		downstreamHeaders: NONE,
	};
}

/**
 * Ends a request.
 *
 * @param verbose whether the client gets to see the reason
 * @param challenge the value of `WWW-Authenticate` in a 401
 */
export function refuse(
	{ status, message }: Refusal,
	{ verbose, challenge }: { verbose: boolean; challenge?: string },
): Decision {
	const title = TITLES[status];
	const body: Members = verbose
		? { message: title, detail: message }
		: { message: title };
	return {
		log: [{ level: status < 500 ? "warn" : "err", message }],
		logValues: NONE,
		exit:
			status === 401 && challenge
				? { status, headers: { "WWW-Authenticate": challenge }, body }
				: { status, body },
		clearedHeaders: NONE,
		upstreamHeaders: NONE,
		downstreamHeaders: NONE,
	};
}

/** Authentication schemes as Kong's own plugins name them; certificates and sessions have none. */
const SCHEMES: Partial<Record<ConfigFields["auth_methods"][number], string>> = {
	basic: "Basic",
	jwt: "Bearer",
	key: "Key",
	oauth2: "Bearer",
	oidc: "Bearer",
};

/**
 * The value of `WWW-Authenticate`, which a 401 must have (RFC 9110 §15.5.2): how a client can authenticate.
 *
 * @param realm the name of what is protected; as the schema takes it, so that it needs no escaping
 */
export function challenges({
	auth_methods,
	realm,
}: Pick<ConfigFields, "auth_methods" | "realm">): string {
	const schemes: string[] = [];
	for (const method of auth_methods) {
		const scheme = SCHEMES[method];
		if (scheme && !schemes.includes(scheme)) schemes.push(scheme);
	}
	// There must be one, and no scheme is registered for certificates and sessions.
	if (schemes.length === 0) schemes.push("Bearer");
	const parameter = realm ? ` realm="${realm}"` : "";
	return schemes.map((scheme) => scheme + parameter).join(", ");
}
