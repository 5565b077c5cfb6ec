import { misconfigured } from "../../core/refusals";
import {
	type Prepared,
	prepareSettings,
	requireSettings,
	type Scope,
	type Settings,
} from "../../core/settings";
import type { SigningKey } from "../../jwk/signing-key";
import { type ConfigFields, configSchema } from "../../schema/fields";
import { nodePlatform } from "./platform";
import { importKey } from "./private-key";
import { faultFinder } from "./validator";

const findFaults = faultFinder(
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
 * own members (`__plugin_id`, `route_id`, …) beside ours; prepares all that does not depend on a request.
 *
 * @param raw the decoded JSON of the plugin server's `StartInstance`
 * @param hasHiddenKey whether `private_jwk` is a vault reference, so that only what depends on the key's
 * members is left open
 * @param ownInstance see `Plugin`
 * @param thorough whether what takes seconds to check in a key is checked too
 */
export function prepare(
	raw: unknown,
	{ hasHiddenKey = false, ownInstance = false, thorough = false } = {},
): Prepared & { key: SigningKey | undefined } {
	const data = withArrays(structuredClone(raw));
	const faults = findFaults(data);
	// A fault that is no field's leaves nothing to look at.
	if (faults.some(({ field }) => field === ""))
		return { faults, warnings: [], settings: undefined, key: undefined };
	const { service_id, route_id, consumer_id, ...fields } =
		data as ConfigFields & Scope;
	let key: SigningKey | undefined;
	const loadKey = () => {
		key = importKey(fields, thorough);
		return key;
	};
	const prepared = prepareSettings({
		fields,
		scope: { service_id, route_id, consumer_id },
		platform: nodePlatform,
		loadKey: hasHiddenKey ? undefined : loadKey,
		ownInstance,
		faults,
	});
	return { ...prepared, key };
}

/**
 * Validates and prepares a configuration.
 *
 * @throws {Refusal} naming the first field, or member of the JWK, that is at fault
 */
export function parseConfig(
	raw: unknown,
	options: { ownInstance?: boolean } = {},
): { settings: Settings; key: SigningKey } {
	const prepared = prepare(raw, options);
	const settings = requireSettings(prepared);
	if (!prepared.key) throw misconfigured("config/private_jwk is missing");
	return { settings, key: prepared.key };
}

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
