import type { Config } from "./config";
import { refused } from "./errors";
import type { Decision } from "./facts";
import type { IssuedToken } from "./reuse";
import { spellings } from "./upstream-header";

/** Kong's log plugins write all headers, and tokens are no less secret than passwords. */
const REDACTED = "REDACTED";

/** Proxies a request with its token. */
export function forward(
	{
		upstream_custom_jwt_header: upstream,
		downstream_custom_jwt_header: downstream,
	}: Config,
	{ token, logged }: IssuedToken,
): Decision {
	const isAuthorization = upstream.toLowerCase() === "authorization";
	const logValues: Decision["logValues"] = [];
	// Kong redacts Authorization itself (Kong fact).
	if (!isAuthorization)
		logValues.push([`request.headers.${upstream.toLowerCase()}`, REDACTED]);
	if (downstream)
		logValues.push([`response.headers.${downstream.toLowerCase()}`, REDACTED]);
	if (Object.keys(logged).length > 0) logValues.push(["x_custom_jwt", logged]);
	return {
		log: [],
		logValues,
		clearedHeaders: [],
		upstreamHeaders: [[upstream, isAuthorization ? `Bearer ${token}` : token]],
		downstreamHeaders: downstream ? [[downstream, token]] : [],
	};
}

/** Proxies a request without a token, and without what the client sent in its place. */
export function passWithoutToken({
	upstream_custom_jwt_header: upstream,
}: Config): Decision {
	return {
		log: [],
		logValues: [],
		clearedHeaders: spellings(upstream),
		upstreamHeaders: [],
		downstreamHeaders: [],
	};
}

/**
 * What becomes of a request that nobody authenticated.
 *
 * @throws {Refusal} unless it may pass
 */
export function unauthenticated(config: Config): Decision {
	if (config.unauthenticated === "pass") return passWithoutToken(config);
	throw refused("nobody_authenticated", {});
}
