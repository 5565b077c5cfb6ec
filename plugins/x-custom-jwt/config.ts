import { type ConfigFields, configSchema } from "../../schema/fields";
import { Misconfigured } from "./errors";
import { importSigningKey, type SigningKey } from "./signing-key";
import { validator } from "./validator";

/**
 * Ids of the entities that the plugin entry is configured on; Kong adds them to the configuration
 * it sends (Kong fact). All are absent for a global plugin.
 */
export interface Scope {
	service_id?: string;
	route_id?: string;
	consumer_id?: string;
}

/** The configuration of one plugin entry, validated, with its signing key prepared. */
export interface Config extends ConfigFields {
	scope: Scope;
	signingKey: SigningKey;
}

const validateFields = validator<ConfigFields & Scope>(
	{
		...configSchema,
		properties: {
			...configSchema.properties,
			// The key has better words for an empty text: it is what an unresolved vault reference becomes.
			private_jwk: { type: "string" },
			service_id: { type: "string" },
			route_id: { type: "string" },
			consumer_id: { type: "string" },
		},
	},
	"config",
);

/**
 * Validates a configuration as Kong sends it: defaults filled or not, null fields left out, Kong's
 * own members (`__plugin_id`, `route_id`, …) beside ours.
 *
 * @param raw the decoded JSON of the plugin server's `StartInstance`
 * @throws {Misconfigured} naming the field, or the member of the JWK, that is at fault
 */
export function parseConfig(raw: unknown): Config {
	const { service_id, route_id, consumer_id, ...fields } = validateFields(
		withArrays(structuredClone(raw)),
	);
	const { not_before = 0, expires_in } = fields;
	if (not_before >= expires_in)
		throw new Misconfigured(
			"config/not_before must be less than config/expires_in",
		);
	if (NOT_FORWARDED.includes(fields.upstream_custom_jwt_header.toLowerCase()))
		throw new Misconfigured(
			"config/upstream_custom_jwt_header is a header that Kong sets or drops itself",
		);
	return {
		...fields,
		scope: { service_id, route_id, consumer_id },
		signingKey: importSigningKey(fields.private_jwk, fields),
	};
}

/** Headers of one connection (RFC 9110 §7.6.1), or about the message, in which no token arrives. */
const NOT_FORWARDED = [
	...["connection", "keep-alive", "proxy-connection", "te", "trailer"],
	...["transfer-encoding", "upgrade", "content-length", "host"],
];

/** Lua has one type for both: an empty array may come as an empty object. */
function withArrays(raw: unknown): unknown {
	if (typeof raw !== "object" || raw === null) return raw;
	return Object.fromEntries(
		Object.entries(raw).map(([name, value]) =>
			arrays.includes(name) && JSON.stringify(value) === "{}"
				? [name, []]
				: [name, value],
		),
	);
}

const arrays = Object.entries(configSchema.properties)
	.filter(([, { type }]) => type === "array")
	.map(([name]) => name);
