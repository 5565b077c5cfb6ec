import type { FromSchema, JSONSchema } from "json-schema-to-ts";
import { type Checker, checker, type Entities } from "../entities";
import type { Exit, GatewayRequest } from "../request";

/** What a stand-in can look up. */
export interface Lookup {
	configuration: Entities;
	/** `fetch` that knows the gateway's `--resolve` addresses. */
	fetch: typeof fetch;
}

/** A stand-in for a bundled plugin of Kong: its priority, what it knows of its configuration, its access phase. */
export interface StandIn {
	priority: number;
	/** Fills in defaults; refuses by name what this stand-in does not know. */
	check: Checker<Record<string, unknown>>;
	access(
		request: GatewayRequest,
		config: Record<string, unknown>,
		lookup: Lookup,
	): Promise<Exit | undefined> | Exit | undefined;
	/** The log phase, when the response is over. */
	log?(request: GatewayRequest, config: Record<string, unknown>): void;
}

/** The access phase of a stand-in whose configuration has these fields; it returns a response to end the request with. */
type Access<P extends Record<string, JSONSchema>> = (
	request: GatewayRequest,
	config: FromSchema<{
		type: "object";
		properties: P;
		additionalProperties: false;
	}>,
	lookup: Lookup,
) => Promise<Exit | undefined> | Exit | undefined;

/**
 * Defines a stand-in by the JSON Schema of its configuration.
 *
 * @param priority Kong's own; higher runs earlier
 * @param properties JSON Schema of the supported fields of `config`
 */
export function standIn<const P extends Record<string, JSONSchema>>(
	priority: number,
	properties: P,
	access: Access<P>,
): StandIn {
	return {
		priority,
		check: checker({ type: "object", properties, additionalProperties: false }),
		access: access as StandIn["access"],
	};
}

/** The fields that Kong's security plugins have in common. `realm` changes no decision. */
const COMMON = {
	anonymous: { type: "string" },
	realm: { type: "string" },
	run_on_preflight: { const: true },
} as const;

/**
 * Defines the stand-in for a security plugin, which may let a request of nobody go on as the anonymous consumer.
 * With one, a request that another security plugin has authenticated is not authenticated again, as in Kong.
 */
export function securityStandIn<const P extends Record<string, JSONSchema>>(
	priority: number,
	properties: P,
	access: Access<P>,
): StandIn {
	const authenticate = access as StandIn["access"];
	return {
		priority,
		check: checker({
			type: "object",
			properties: { ...COMMON, ...properties },
			additionalProperties: false,
		}),
		async access(request, config, lookup) {
			const { anonymous } = config;
			if (!anonymous) return authenticate(request, config, lookup);
			if (request.credential) return undefined;
			const exit = await authenticate(request, config, lookup);
			if (exit?.status !== 401) return exit;
			const consumer = lookup.configuration.consumers.find(
				({ id, username }) => id === anonymous || username === anonymous,
			);
			if (!consumer)
				return request.error(500, `anonymous consumer ${anonymous} is unknown`);
			request.goOnAs(consumer);
			return undefined;
		},
	};
}
