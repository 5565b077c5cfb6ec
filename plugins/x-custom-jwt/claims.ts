import { randomUUID } from "node:crypto";
import type { ConfigFields } from "../../schema/fields";
import { Misconfigured } from "./errors";
import type { Identity } from "./identity";
import type { Service } from "./pdk";

/** The claims set of a token (RFC 7519 §4), ready for `JSON.stringify`. */
export type Claims = Record<string, unknown>;

const DEFAULT_PORTS: Record<string, number> = {
	http: 80,
	https: 443,
	grpc: 80,
	grpcs: 443,
	ws: 80,
	wss: 443,
};

/**
 * Builds the claims set. Later claims win over earlier ones: those of the incoming token, then
 * `client_id`, `act`, and last the registered ones, so that a client cannot choose them.
 *
 * @param service the Kong Service the request goes to
 * @param now the time, in milliseconds since the epoch
 * @throws {Misconfigured} when there is no service, hence no audience
 */
export function buildClaims(
	config: Pick<ConfigFields, "iss" | "expires_in">,
	identity: Identity,
	service: Service | undefined,
	now: number,
): Claims {
	const iat = Math.floor(now / 1000);
	return {
		...identity.tokenClaims,
		client_id: identity.clientId,
		...actor(identity),
		iss: config.iss,
		iat,
		// Whole seconds, and a lifetime below one second must not end at once.
		exp: iat + Math.ceil(config.expires_in),
		aud: audience(service),
		jti: randomUUID(),
	};
}

/** The acting party; the actor of an incoming token is nested in it as a prior one (RFC 8693 §4.1). */
function actor({ consumer, tokenClaims }: Identity): Claims {
	if (!consumer) return {};
	const prior = Object.hasOwn(tokenClaims, "act")
		? { act: tokenClaims.act }
		: {};
	return {
		act: { client_id: consumer.custom_id || consumer.id, ...prior },
	};
}

/** The backend's URL, its port left out when it is the protocol's default. */
function audience(service: Service | undefined): string {
	if (!service)
		throw new Misconfigured(
			"no audience: the route has no Service; configure the plugin on routes that have one",
			"no_audience",
		);
	const { protocol, host, port, path } = service;
	const suffix = DEFAULT_PORTS[protocol] === port ? "" : `:${port}`;
	return `${protocol}://${host}${suffix}${path ?? ""}`;
}
