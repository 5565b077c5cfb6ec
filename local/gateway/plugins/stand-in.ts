import type { FromSchema, JSONSchema } from "json-schema-to-ts";
import { type Consumer, checker, type Entities } from "../entities";
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
	check(config: unknown, what: string): Record<string, unknown>;
	access(
		request: GatewayRequest,
		config: Record<string, unknown>,
		lookup: Lookup,
	): Promise<Exit | undefined> | Exit | undefined;
	/** The log phase, when the response is over. */
	log?(request: GatewayRequest, config: Record<string, unknown>): void;
}

/**
 * Defines a stand-in by the JSON Schema of its configuration.
 *
 * @param priority Kong's own; higher runs earlier
 * @param properties JSON Schema of the supported fields of `config`
 * @param access returns a response to end the request with, or nothing to go on
 */
export function standIn<const P extends Record<string, JSONSchema>>(
	priority: number,
	properties: P,
	access: (
		request: GatewayRequest,
		config: FromSchema<{
			type: "object";
			properties: P;
			additionalProperties: false;
		}>,
		lookup: Lookup,
	) => Promise<Exit | undefined> | Exit | undefined,
): StandIn {
	return {
		priority,
		check: checker({ type: "object", properties, additionalProperties: false }),
		access: access as StandIn["access"],
	};
}

/** The field `anonymous` of security plugins: a consumer's name or id. */
export const ANONYMOUS = { anonymous: { type: "string" } } as const;

/**
 * Runs a security plugin as Kong does where `anonymous` is configured: not at all when another one has authenticated the
 * client, and a client that it does not authenticate goes on as the anonymous consumer.
 *
 * @param authenticate returns the response to a client that is not authenticated
 */
export function orAnonymous(
	request: GatewayRequest,
	anonymous: string | undefined,
	{ consumers }: Entities,
	authenticate: () => Exit | undefined,
): Exit | undefined {
	if (anonymous === undefined) return authenticate();
	if (request.credential || !authenticate()) return undefined;
	const isMeant = ({ id, username }: Consumer) =>
		anonymous === id || anonymous === username;
	const consumer = consumers.find(isMeant);
	if (!consumer)
		return request.error(500, `anonymous consumer ${anonymous} is unknown`);
	request.goOnAs(consumer);
	return undefined;
}
