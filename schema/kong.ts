import { configSchema } from "./fields";

/** A value of Kong's schema language; JSON, as the plugin server dumps it. */
export type KongValue =
	| string
	| number
	| boolean
	| readonly KongValue[]
	| { readonly [name: string]: KongValue };

/** The members of JSON Schema that schema/fields.ts uses. */
interface Property {
	type: "string" | "number" | "boolean" | "array";
	description: string;
	default?: KongValue;
	minLength?: number;
	minItems?: number;
	exclusiveMinimum?: number;
	items?: { type: string; enum: readonly string[] };
	kong?: {
		match?: string;
		match_none?: readonly { pattern: string; err: string }[];
		encrypted?: boolean;
		referenceable?: boolean;
	};
}

/** The configuration fields by name, in their order. */
export const properties: [name: string, property: Property][] = Object.entries(
	configSchema.properties,
);

/** Whether a field must be given, in the eyes of Kong: a default counts as given. */
export function isRequired(name: string): boolean {
	return configSchema.required.some((required) => required === name);
}

/**
 * The configuration fields in Kong's schema language, with attributes that work for a JavaScript
 * plugin and in Konnect alike (Kong fact: functions do not).
 */
export const kongFields = properties.map(([name, property]) => ({
	[name]: defined({
		type: property.type === "array" ? "set" : property.type,
		description: property.description,
		required: isRequired(name) || undefined,
		default: property.default,
		elements: property.items && {
			type: property.items.type,
			one_of: property.items.enum,
		},
		len_min: property.minLength ?? property.minItems,
		gt: property.exclusiveMinimum,
		...property.kong,
	}),
}));

function defined(
	attributes: Record<string, KongValue | undefined>,
): Record<string, KongValue> {
	return Object.fromEntries(
		Object.entries(attributes).flatMap(([name, value]) =>
			value === undefined ? [] : [[name, value]],
		),
	);
}
